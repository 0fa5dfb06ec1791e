package org.fieldgrid.sample

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Rect
import android.view.View
import java.awt.image.BufferedImage
import java.awt.image.IndexColorModel
import java.io.File
import javax.imageio.ImageIO
import kotlin.math.abs

/** A window as it is drawn. */
class Picture(private val width: Int, private val height: Int, private val pixels: IntArray) {
    /** The share of pixels that differ by more than a shade. */
    fun difference(other: Picture): Double {
        if (width != other.width || height != other.height) return 1.0
        return pixels.indices.count { differ(pixels[it], other.pixels[it]) }.toDouble() / pixels.size
    }

    /** The colour of most of what lies in [part]: the ground of the words there. */
    fun ground(part: Rect): Int {
        val inside = (part.top until part.bottom).flatMap { y -> (part.left until part.right).map { x -> pixels[y * width + x] } }
        return inside.groupingBy { it }.eachCount().maxBy { it.value }.key
    }

    /** As a PNG of at most 256 colours: the rarest shades of letters' edges become their nearest. */
    fun write(file: File) {
        file.parentFile.mkdirs()
        val shades = pixels.groupBy { it }.entries.sortedByDescending { it.value.size }.map { it.key }
        val palette = shades.take(PALETTE)
        val nearest = shades.associateWith { shade -> if (shade in palette.toSet()) palette.indexOf(shade) else palette.indices.minBy { distance(palette[it], shade) } }
        val model = IndexColorModel(8, palette.size, palette.toIntArray(), 0, false, -1, java.awt.image.DataBuffer.TYPE_BYTE)
        val image = BufferedImage(width, height, BufferedImage.TYPE_BYTE_INDEXED, model)
        pixels.forEachIndexed { at, shade -> image.raster.setSample(at % width, at / width, 0, nearest.getValue(shade)) }
        ImageIO.write(image, "png", file)
    }

    companion object {
        private const val PALETTE = 256
        private const val SHADE = 48

        fun of(view: View): Picture {
            val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
            view.draw(Canvas(bitmap))
            return Picture(view.width, view.height, IntArray(view.width * view.height).also { bitmap.getPixels(it, 0, view.width, 0, 0, view.width, view.height) })
        }

        fun read(file: File): Picture = ImageIO.read(file).run { Picture(width, height, getRGB(0, 0, width, height, null, 0, width)) }

        private fun differ(a: Int, b: Int) = channels(a).zip(channels(b)).any { (x, y) -> abs(x - y) > SHADE }

        private fun distance(a: Int, b: Int) = channels(a).zip(channels(b)).sumOf { (x, y) -> (x - y) * (x - y) }

        private fun channels(color: Int) = listOf(color shr 16 and 0xff, color shr 8 and 0xff, color and 0xff)
    }
}
