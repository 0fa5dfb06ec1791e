// For people with an Android SDK. NOT RUN in this repository's CI, which builds and tests the same sources with Maven (see README.md).
//
// First `./ndk`, for the engine's libraries; then `gradle assembleDebug`.
plugins {
    id("com.android.application") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.4.20"
}

android {
    namespace = "org.fieldgrid.sample"
    compileSdk = 35
    defaultConfig {
        applicationId = "org.fieldgrid.sample"
        minSdk = 23
        targetSdk = 35
        versionCode = 1
        versionName = "0.1.0"
    }
    sourceSets["main"].java.srcDirs("src/main/kotlin", "../ffi/kotlin/src/main/kotlin", "../ffi/kotlin/target/generated-sources/uniffi")
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "../ffi/kotlin/src/main/resources/META-INF/proguard/fieldgrid.pro")
        }
    }
}

dependencies {
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.11.0")
    implementation("net.java.dev.jna:jna:5.18.1@aar")
}
