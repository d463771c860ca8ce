package dev.secateur.data;

import dev.secateur.SecateurException;
import java.awt.image.Raster;
import java.awt.image.RenderedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/**
 * Images with a mask each, a PNG file whose values, or whose palette's indices, are the class of
 * every pixel. To all that asks for classes of images they are images without labels.
 */
public final class MaskedImages extends ForwardingDataset {
  /** Of pixels that do not count. */
  public static final int IGNORED = 255;

  private final ImageFiles images;
  private final FolderSpec spec;
  private final Path masks;

  private MaskedImages(ImageFiles images, FolderSpec spec, Path masks) {
    super(images);
    this.images = images;
    this.spec = spec;
    this.masks = masks;
  }

  /**
   * {@code images/NAME.jpg} and {@code masks/NAME.png} in a folder, or in its folders train and
   * test or val.
   *
   * @throws SecateurException for an image without a mask
   */
  static Dataset open(FolderSpec spec, Split split, Unreadable unreadable) throws IOException {
    Path root = ImageFolder.parted(spec.place(), split);
    Path masks = root.resolve("masks");
    if (!Files.isDirectory(root.resolve("images")) || !Files.isDirectory(masks)) {
      throw new NoSuchFileException(root + " (with folders images and masks)");
    }
    ImageFiles images = ImageFolder.unlabelled(spec, root.resolve("images"), unreadable);
    MaskedImages all = new MaskedImages(images, spec, masks);
    for (int i = 0; i < images.size(); i++) {
      if (!Files.isRegularFile(all.file(i))) {
        throw new SecateurException(
            all.file(i) + ": there is no mask for " + images.file(i) + " of " + root);
      }
    }
    return all;
  }

  private Path file(int index) {
    return masks.resolve(images.file(index).replaceFirst("\\.[^.]*$", ".png"));
  }

  /**
   * Writes the classes of an image's pixels, H*W bytes: the mask resized by the nearest pixel as
   * torchvision does, and cropped as the image is.
   *
   * @throws SecateurException for a file that is no PNG of one value a pixel
   */
  public void mask(int index, byte[] dst) {
    Path file = file(index);
    Raster in;
    try {
      RenderedImage image = ImageIO.read(new ByteArrayInputStream(Files.readAllBytes(file)));
      if (image == null || image.getSampleModel().getNumBands() != 1) {
        throw new SecateurException(file + ": expected a PNG file of one value a pixel");
      }
      in = image.getData();
    } catch (IOException e) {
      throw new SecateurException(file + ": " + e.getMessage(), e);
    }
    int width = in.getWidth();
    int height = in.getHeight();
    int outWidth = Triangle.resized(width, height, spec.resize());
    int outHeight = Triangle.resized(height, width, spec.resize());
    int left = Triangle.margin(outWidth, spec.width());
    int top = Triangle.margin(outHeight, spec.height());
    for (int y = 0; y < spec.height(); y++) {
      int from = Math.min(height - 1, (int) ((y + top) * (double) height / outHeight));
      for (int x = 0; x < spec.width(); x++) {
        int at = Math.min(width - 1, (int) ((x + left) * (double) width / outWidth));
        dst[y * spec.width() + x] = (byte) Math.min(IGNORED, in.getSample(at, from, 0));
      }
    }
  }
}
