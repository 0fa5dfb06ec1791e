//! What SQLCipher asks for, in slices. No unsafe code, and nothing panics: what does not fit is [`Unfit`].

use aes::Aes256;
use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

/// Bytes of an AES-256 key.
pub(crate) const KEY: usize = 32;
/// Bytes of an AES block, and of the initialisation vector.
pub(crate) const BLOCK: usize = 16;

/// An algorithm that is not known, or a length that it cannot take.
#[derive(Debug)]
pub(crate) struct Unfit;

/// The hash under HMAC and PBKDF2, as SQLCipher numbers them in both.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl TryFrom<i32> for Hash {
    type Error = Unfit;

    fn try_from(algorithm: i32) -> Result<Self, Unfit> {
        match algorithm {
            0 => Ok(Self::Sha1),
            1 => Ok(Self::Sha256),
            2 => Ok(Self::Sha512),
            _ => Err(Unfit),
        }
    }
}

impl Hash {
    /// Bytes of the hash.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// HMAC over `data` and then `more`; `out` is as long as the hash.
    pub(crate) fn hmac(self, key: &[u8], data: &[u8], more: &[u8], out: &mut [u8]) -> Result<(), Unfit> {
        match self {
            Self::Sha1 => hmac::<Sha1>(key, data, more, out),
            Self::Sha256 => hmac::<Sha256>(key, data, more, out),
            Self::Sha512 => hmac::<Sha512>(key, data, more, out),
        }
    }

    /// PBKDF2 with HMAC, as many bytes as `out` has.
    pub(crate) fn derive(self, pass: &[u8], salt: &[u8], rounds: u32, out: &mut [u8]) -> Result<(), Unfit> {
        if rounds == 0 {
            return Err(Unfit);
        }
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(pass, salt, rounds, out),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(pass, salt, rounds, out),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(pass, salt, rounds, out),
        }
        Ok(())
    }
}

fn hmac<D: EagerHash>(key: &[u8], data: &[u8], more: &[u8], out: &mut [u8]) -> Result<(), Unfit>
where
    Hmac<D>: Mac + KeyInit,
{
    let mut mac = <Hmac<D> as KeyInit>::new_from_slice(key).map_err(|_| Unfit)?;
    mac.update(data);
    mac.update(more);
    let tag = mac.finalize().into_bytes();
    if out.len() != tag.len() {
        return Err(Unfit);
    }
    out.copy_from_slice(&tag);
    Ok(())
}

/// AES-256-CBC without padding, in place. `data` is whole blocks.
pub(crate) fn encrypt(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), Unfit> {
    let mut cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| Unfit)?;
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if !rest.is_empty() {
        return Err(Unfit);
    }
    cipher.encrypt_blocks(blocks);
    Ok(())
}

/// The inverse of [`encrypt`].
pub(crate) fn decrypt(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), Unfit> {
    let mut cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, iv).map_err(|_| Unfit)?;
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if !rest.is_empty() {
        return Err(Unfit);
    }
    cipher.decrypt_blocks(blocks);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn aes_is_what_nist_publishes() {
        // SP 800-38A, F.2.5 and F.2.6.
        let key = unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let iv = unhex("000102030405060708090a0b0c0d0e0f");
        let plain = unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
        let mut data = plain.clone();
        encrypt(&key, &iv, &mut data).unwrap();
        assert_eq!(
            data,
            unhex("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b")
        );
        decrypt(&key, &iv, &mut data).unwrap();
        assert_eq!(data, plain);
    }

    #[test]
    fn hmac_is_what_the_standards_publish() {
        // RFC 2202 and RFC 4231, test case 2, its data in two parts.
        for (algorithm, tag) in [
            (0, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (1, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (2, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"),
        ] {
            let hash = Hash::try_from(algorithm).unwrap();
            let mut out = vec![0; hash.len()];
            hash.hmac(b"Jefe", b"what do ya want ", b"for nothing?", &mut out).unwrap();
            assert_eq!(out, unhex(tag));
        }
    }

    #[test]
    fn derivation_is_what_the_standards_publish() {
        // RFC 6070, test case 3.
        let mut out = [0; 20];
        Hash::Sha1.derive(b"password", b"salt", 4096, &mut out).unwrap();
        assert_eq!(out[..], unhex("4b007901b765489abead49d926f721d065a429c1"));
        // RFC 7914, section 11.
        let mut out = [0; 64];
        Hash::Sha256.derive(b"passwd", b"salt", 1, &mut out).unwrap();
        assert_eq!(
            out[..],
            unhex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783")
        );
        // As OpenSSL derives it; the standards have no vector.
        Hash::Sha512.derive(b"password", b"salt", 4096, &mut out).unwrap();
        assert_eq!(
            out[..],
            unhex("d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5")
        );
    }

    #[test]
    fn what_does_not_fit_is_told_and_not_a_panic() {
        assert!(Hash::try_from(3).is_err());
        assert!(Hash::try_from(-1).is_err());
        assert!(encrypt(&[0; 16], &[0; 16], &mut [0; 16]).is_err());
        assert!(encrypt(&[0; 32], &[0; 12], &mut [0; 16]).is_err());
        assert!(encrypt(&[0; 32], &[0; 16], &mut [0; 17]).is_err());
        assert!(decrypt(&[0; 32], &[0; 16], &mut [0; 15]).is_err());
        assert!(Hash::Sha512.hmac(b"", b"", b"", &mut [0; 63]).is_err());
        assert!(Hash::Sha512.derive(b"", b"", 0, &mut [0; 32]).is_err());
    }
}
