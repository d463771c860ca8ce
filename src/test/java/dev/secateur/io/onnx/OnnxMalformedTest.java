package dev.secateur.io.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnx.proto.OnnxMl;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import dev.secateur.SecateurException;
import dev.secateur.io.Models;
import dev.secateur.io.OneLine;
import dev.secateur.nn.Model;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damaged and hostile ONNX files are refused in one line, and nothing else happens. */
class OnnxMalformedTest {
  private static final List<String> VICTIMS =
      List.of("functions-17", "shufflenet", "unet", "convnext", "squeezenet");
  private static final long[] NUMBERS = {
    0,
    -1,
    1,
    2,
    3,
    5,
    7,
    1000,
    1L << 20,
    Integer.MAX_VALUE,
    1L << 31,
    1L << 40,
    Long.MAX_VALUE,
    Long.MIN_VALUE
  };

  /** A victim; more by -Dsecateur.test.mutations=N. */
  private static final int MUTATIONS = Integer.getInteger("secateur.test.mutations", 60);

  @TempDir Path dir;

  /** Whether the file is read; if not, it must be refused as we promise. */
  private boolean read(byte[] bytes, String what) throws IOException {
    Path file = dir.resolve("m.onnx");
    Files.write(file, bytes);
    try {
      Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
      return true;
    } catch (SecateurException e) {
      OneLine.check(e, file, what);
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError(what + ": " + e, e);
    }
  }

  @Test
  void truncatedAndFlipped() throws IOException {
    int refused = 0;
    int count = 0;
    for (String victim : VICTIMS) {
      byte[] whole = Files.readAllBytes(Fixtures.unpacked(victim + ".onnx.gz", dir));
      SplittableRandom random = new SplittableRandom(victim.hashCode());
      for (int i = 0; i < MUTATIONS; i++) {
        byte[] b = Arrays.copyOf(whole, whole.length);
        String what = victim + " " + i;
        if (i % 4 == 0) {
          b = Arrays.copyOf(whole, random.nextInt(whole.length));
        } else {
          for (int k = 0; k < 1 + i; k++) {
            // the structure lies before and behind the numbers; hit both
            int at = random.nextInt(i % 2 == 0 ? Math.min(3000, b.length) : b.length);
            b[at] = i % 4 == 1 ? (byte) 0xff : (byte) (b[at] ^ 1 << random.nextInt(8));
          }
        }
        refused += read(b, what) ? 0 : 1;
        count++;
      }
    }
    assertTrue(refused > count / 2, refused + " of " + count + " refused");
  }

  @Test
  void lyingStructure() throws IOException {
    for (String victim : VICTIMS) {
      OnnxMl.ModelProto whole =
          OnnxMl.ModelProto.parseFrom(
              Files.readAllBytes(Fixtures.unpacked(victim + ".onnx.gz", dir)));
      SplittableRandom random = new SplittableRandom(victim.hashCode());
      for (int i = 0; i < 2 * MUTATIONS; i++) {
        OnnxMl.ModelProto.Builder m = whole.toBuilder();
        for (int k = 0; k <= i % 3; k++) {
          lie(m.getGraphBuilder(), random);
        }
        read(m.build().toByteArray(), victim + " " + i);
      }
    }
  }

  private static void lie(OnnxMl.GraphProto.Builder g, SplittableRandom random) {
    OnnxMl.NodeProto.Builder n = g.getNodeBuilder(random.nextInt(g.getNodeCount()));
    OnnxMl.NodeProto other = g.getNode(random.nextInt(g.getNodeCount()));
    OnnxMl.TensorProto.Builder t = g.getInitializerBuilder(random.nextInt(g.getInitializerCount()));
    long number = NUMBERS[random.nextInt(NUMBERS.length)];
    switch (random.nextInt(10)) {
      case 0 -> {
        if (n.getInputCount() > 0) {
          n.setInput(random.nextInt(n.getInputCount()), other.getOutput(0));
        }
      }
      case 1 -> {
        if (t.getDimsCount() > 0) {
          t.setDims(random.nextInt(t.getDimsCount()), number);
        }
      }
      case 2 -> t.addDims(number);
      case 3 -> t.setDataType(random.nextInt(30));
      case 4 -> t.setRawData(ByteString.copyFrom(new byte[random.nextInt(64)]));
      case 5, 6 -> {
        if (n.getAttributeCount() > 0) {
          OnnxMl.AttributeProto.Builder a =
              n.getAttributeBuilder(random.nextInt(n.getAttributeCount()));
          if (a.getIntsCount() > 0 && random.nextBoolean()) {
            a.setInts(random.nextInt(a.getIntsCount()), number);
          } else if (a.getIntsCount() > 0) {
            a.addInts(number);
          } else if (a.hasT()) {
            a.getTBuilder()
                .setRawData(ByteString.copyFrom(new byte[] {9, 9, 9, 9, 9, 9, 9, (byte) number}));
          } else {
            a.setI(number).setF(number);
          }
        }
      }
      case 7 -> n.setOpType(other.getOpType());
      case 8 -> n.clearInput().addAllInput(other.getInputList());
      default ->
          g.getInputBuilder(0)
              .getTypeBuilder()
              .getTensorTypeBuilder()
              .getShapeBuilder()
              .getDimBuilder(random.nextInt(4))
              .setDimValue(number);
    }
  }

  @Test
  void cyclesAndMissingNodes() throws IOException {
    Proto p = new Proto(13, 3, 4, 4);
    p.nodes("Add", "a", List.of("a"), "x", "b");
    p.nodes("Relu", "r", List.of("b"), "a");
    assertFalse(read(p.model("b").toByteArray(), "a cycle"));
    Proto self = new Proto(13, 3, 4, 4);
    self.nodes("Add", "a", List.of("a"), "x", "a");
    assertFalse(read(self.model("a").toByteArray(), "a node that reads itself"));
    Proto missing = new Proto(13, 3, 4, 4);
    assertFalse(read(missing.model(missing.node("Add", "x", "nobody")).toByteArray(), "missing"));
    assertFalse(read(new byte[0], "empty"));
    assertFalse(read(OnnxMl.ModelProto.getDefaultInstance().toByteArray(), "no graph"));
  }

  @Test
  void longChainsAndDeepNestingDoNotOverflowTheStack() throws IOException {
    Proto p = new Proto(13, 3, 4, 4);
    String y = "x";
    for (int i = 0; i < 20_000; i++) {
      y = p.node("Relu", y);
    }
    assertTrue(read(p.model(y).toByteArray(), "20,000 nodes"));
    Proto deep = new Proto(13, 3, 4, 4);
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.write(deep.model(deep.node("Relu", "x")).toByteArray());
    byte[] graph = {};
    for (int i = 0; i < 5000; i++) {
      graph = field(1, field(5, field(6, graph))); // a node whose attribute is a graph
    }
    file.write(field(7, graph)); // of the model's graph
    assertFalse(read(file.toByteArray(), "5,000 graphs in each other"));
  }

  private static byte[] field(int number, byte[] message) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    CodedOutputStream coded = CodedOutputStream.newInstance(out);
    coded.writeByteArray(number, message);
    coded.flush();
    return out.toByteArray();
  }

  @Test
  void smallFilesThatWouldGrow() throws IOException {
    Proto p = new Proto(13, 3, 4, 4);
    String y = "x";
    for (int i = 0; i < 40; i++) {
      y = p.node("Concat", y, y, "axis=", 1);
    }
    assertFalse(read(p.model(y).toByteArray(), "channels doubled 40 times"));
    Proto fill = new Proto(13, 3, 4, 4);
    String ones = fill.node("ConstantOfShape", fill.longs(1L << 20, 1L << 20));
    assertFalse(read(fill.model(fill.node("Add", "x", ones)).toByteArray(), "a filled constant"));
    Proto many = new Proto(13, 3, 4, 4);
    y = "x";
    for (int i = 0; i < 100; i++) {
      y = many.node("Add", y, many.node("ConstantOfShape", many.longs(1, 1, 1000, 1000)));
    }
    assertFalse(read(many.model(y).toByteArray(), "many constants"));
    Proto range = new Proto(13, 3, 4, 4);
    String r = range.node("Range", range.number(0), range.number(1e30f), range.number(1e-30f));
    assertFalse(read(range.model(range.node("Add", "x", r)).toByteArray(), "a range"));
    Proto gather = new Proto(13, 3, 4, 4);
    y = "x";
    for (int i = 0; i < 30; i++) {
      long[] twice = new long[2 << Math.min(i, 12)];
      y = gather.node("Gather", y, gather.longs(twice), "axis=", 1);
      y = gather.node("Resize", y, "", gather.floats(1, 1, 100, 100), "mode=", "nearest");
    }
    assertFalse(read(gather.model(y).toByteArray(), "resized again and again"));
    assertFalse(read(wide(Long.MAX_VALUE, 2, 2).toByteArray(), "an input of 2^63 channels"));
    assertFalse(read(wide(1 << 27, 1 << 27, 1 << 27).toByteArray(), "an input of 2^81 values"));
  }

  private static OnnxMl.ModelProto wide(long c, long h, long w) {
    Proto p = new Proto(13, c, h, w);
    return p.model(p.node("Relu", "x"));
  }

  @Test
  void externalDataStaysInsideTheFolder() throws IOException {
    Path outside = Files.write(dir.resolve("secret.bin"), new byte[64]);
    Path folder = Files.createDirectory(dir.resolve("model"));
    Files.write(folder.resolve("w.bin"), new byte[64]);
    Files.createSymbolicLink(folder.resolve("link.bin"), outside);
    Files.createSymbolicLink(folder.resolve("up"), dir);
    assertTrue(external(folder, "w.bin", "0", "48"));
    assertTrue(external(folder, "./w.bin", "16", "48"));
    for (String location :
        new String[] {
          "../secret.bin",
          outside.toString(),
          "link.bin",
          "up/secret.bin",
          "x/../../secret.bin",
          ".",
          "",
          "nothing.bin",
          "a\0b",
          "/etc/passwd",
          "/dev/zero"
        }) {
      assertFalse(external(folder, location, "0", "48"), location);
    }
    for (String[] where :
        new String[][] {
          {"17", "48"},
          {"-1", "48"},
          {"0", "47"},
          {"0", "-48"},
          {"9223372036854775807", "48"},
          {"99999999999999999999", "48"},
          {"x", "48"}
        }) {
      assertFalse(external(folder, "w.bin", where[0], where[1]), where[0]);
    }
  }

  private static boolean external(Path folder, String location, String offset, String length)
      throws IOException {
    Proto p = new Proto(13, 3, 4, 4);
    OnnxMl.TensorProto.Builder w =
        p.graph()
            .addInitializerBuilder()
            .setName("w")
            .setDataType(1)
            .addAllDims(List.of(4L, 3L, 1L, 1L))
            .setDataLocation(OnnxMl.TensorProto.DataLocation.EXTERNAL);
    String[][] entries = {{"location", location}, {"offset", offset}, {"length", length}};
    for (String[] e : entries) {
      w.addExternalData(OnnxMl.StringStringEntryProto.newBuilder().setKey(e[0]).setValue(e[1]));
    }
    Path file = p.write(folder.resolve("m.onnx"), p.node("Conv", "x", "w"));
    try {
      Models.importOnnx(file, OnnxOptions.DEFAULT, x -> {});
      return true;
    } catch (SecateurException e) {
      assertEquals(1, e.getMessage().lines().count(), e.getMessage());
      return false;
    }
  }

  @Test
  void largeModelsKeepTheirNumbersBesideThem() throws IOException {
    Path original = Fixtures.unpacked("unet.onnx.gz", dir);
    Model m = Models.importOnnx(original, OnnxOptions.DEFAULT, w -> {});
    Path file = dir.resolve("large.onnx");
    OnnxExport.write(m, file, OnnxExportOptions.DEFAULT, 1000);
    assertTrue(Files.size(dir.resolve("large.onnx.data")) > Files.size(file));
    Model back = Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {});
    byte[] pixels = Outputs.pixels(m, 1);
    assertEquals(0, Outputs.difference(Outputs.ours(m, pixels, 1), Outputs.ours(back, pixels, 1)));
    Files.write(dir.resolve("large.onnx.data"), new byte[100]);
    String line =
        assertThrows(
                SecateurException.class,
                () -> Models.importOnnx(file, OnnxOptions.DEFAULT, w -> {}))
            .getMessage();
    assertTrue(line.contains("which has 100"), line);
  }
}
