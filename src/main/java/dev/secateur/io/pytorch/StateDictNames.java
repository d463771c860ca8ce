package dev.secateur.io.pytorch;

import dev.secateur.tensor.HostTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Parameters under torchvision's names, as our architectures have them, of state dicts of timm
 * (huggingface/pytorch-image-models) and of older torchvision. Families whose names are the same in
 * both (ResNet, ResNeXt, DenseNet) are left as they are.
 *
 * @param tensors by torchvision's names; the scale of a ConvNeXt block is multiplied into its last
 *     layer
 * @param eps of all batch norms, where it is timm's
 * @param timm whether the names were timm's
 */
public record StateDictNames(Map<String, HostTensor> tensors, Optional<Float> eps, boolean timm) {
  private static final float TIMM_EPS = 1e-5f;

  /** Torchvision's older DenseNet files write norm.1 for norm1. */
  private static final Pattern DENSE_LAYER =
      Pattern.compile("(denselayer\\d+\\.(?:norm|conv))\\.([12])\\.");

  private static final Pattern BLOCK = Pattern.compile("blocks\\.(\\d+)\\.(\\d+)\\.(.*)");
  private static final Pattern STAGE = Pattern.compile("stages\\.(\\d+)\\.(.*)");
  private static final Pattern REGNET = Pattern.compile("s(\\d+)\\.b(\\d+)\\.(.*)");
  private static final String SCALE = ".layer_scale";

  /** Parts of timm's blocks, a unit of convolution and norm or a gate each, in their order. */
  private static final List<List<String>> UNITS =
      List.of(
          List.of("conv_exp", "bn1", "se", "conv_pwl", "bn2"),
          List.of("conv_pw", "bn1", "conv_dw", "bn2", "se", "conv_pwl", "bn3"),
          List.of("conv_dw", "bn1", "se", "conv_pw", "bn2"),
          List.of("conv", "bn1"));

  /** The parameters of a file, as an architecture has them. */
  public static StateDictNames of(String architecture, Map<String, HostTensor> file) {
    UnaryOperator<String> name = k -> DENSE_LAYER.matcher(k).replaceAll("$1$2.");
    boolean mobile = file.containsKey("conv_stem.weight");
    boolean timm = true;
    if (mobile) {
      Map<String, String> blocks = blocks(architecture, file);
      name = k -> mobile(architecture, k, blocks);
    } else if (file.containsKey("stem.conv.weight")) {
      name = StateDictNames::regNet;
    } else if (file.keySet().stream().anyMatch(k -> k.startsWith("stages."))) {
      name = StateDictNames::convNext;
    } else if (file.containsKey("pre_logits.fc1.weight")) {
      name =
          k ->
              k.replace("pre_logits.fc1.", "classifier.0.")
                  .replace("pre_logits.fc2.", "classifier.3.")
                  .replace("head.fc.", "classifier.6.");
    } else {
      timm = false;
    }
    Map<String, HostTensor> out = new LinkedHashMap<>();
    for (Map.Entry<String, HostTensor> e : file.entrySet()) {
      out.put(name.apply(e.getKey()), e.getValue());
    }
    scaled(out);
    return new StateDictNames(out, mobile ? Optional.of(TIMM_EPS) : Optional.empty(), timm);
  }

  /** Multiplies a block's scale into the layer before it, block.5. */
  private static void scaled(Map<String, HostTensor> tensors) {
    for (String key : List.copyOf(tensors.keySet())) {
      if (!key.endsWith(SCALE)) {
        continue;
      }
      String layer = key.substring(0, key.length() - SCALE.length()) + ".block.5.";
      float[] scale = tensors.get(key).data();
      boolean fits = true;
      for (String part : List.of("weight", "bias")) {
        HostTensor t = tensors.get(layer + part);
        fits &= t != null && t.shape().dim(0) == scale.length;
      }
      if (!fits) {
        continue; // it is told as a tensor that the architecture does not have
      }
      for (String part : List.of("weight", "bias")) {
        HostTensor t = tensors.get(layer + part);
        float[] data = t.data().clone();
        for (int i = 0; i < data.length; i++) {
          data[i] *= scale[i / (data.length / scale.length)];
        }
        tensors.put(layer + part, new HostTensor(t.shape(), data));
      }
      tensors.remove(key);
    }
  }

  // ---- MobileNets and EfficientNets ------------------------------------------------------------

  /** What stands for "blocks.STAGE.BLOCK.PART" of timm, by that. */
  private static Map<String, String> blocks(String architecture, Map<String, HostTensor> file) {
    Map<Integer, Map<Integer, List<String>>> parts = new TreeMap<>();
    for (String key : file.keySet()) {
      Matcher m = BLOCK.matcher(key);
      if (m.matches() && m.group(1).length() < 4 && m.group(2).length() < 4) {
        parts
            .computeIfAbsent(Integer.parseInt(m.group(1)), k -> new TreeMap<>())
            .computeIfAbsent(Integer.parseInt(m.group(2)), k -> new ArrayList<>())
            .add(m.group(3).split("\\.")[0]);
      }
    }
    boolean staged = architecture.startsWith("efficientnet");
    Map<String, String> out = new LinkedHashMap<>();
    int index = 1;
    for (Map.Entry<Integer, Map<Integer, List<String>>> stage : parts.entrySet()) {
      for (Map.Entry<Integer, List<String>> block : stage.getValue().entrySet()) {
        String from = "blocks." + stage.getKey() + "." + block.getKey() + ".";
        String place = staged ? stage.getKey() + 1 + "." + block.getKey() : "" + index++;
        units(architecture, from, "features." + place, block.getValue(), out);
      }
    }
    return out;
  }

  private static void units(
      String architecture, String from, String to, List<String> present, Map<String, String> out) {
    List<String> units =
        UNITS.stream()
            .filter(u -> present.containsAll(u.stream().filter(p -> !p.equals("se")).toList()))
            .findFirst()
            .orElse(List.of());
    boolean second = architecture.equals("mobilenet_v2");
    boolean alone = units.size() == 2; // no block, but a unit of the network itself or of version 2
    String inside = alone && !architecture.startsWith("efficientnet") ? to : to + ".block.0";
    int step = 0;
    for (String part : units) {
      String unit = second ? to + ".conv." + step : alone ? inside : to + ".block." + step;
      boolean last = part.equals(units.get(units.size() - 1));
      if (part.equals("se")) {
        if (present.contains("se")) {
          out.put(from + "se.conv_reduce", unit + ".fc1");
          out.put(from + "se.conv_expand", unit + ".fc2");
          step++;
        }
      } else if (part.startsWith("bn")) {
        out.put(from + part, second && last ? to + ".conv." + (step + 1) : unit + ".1");
        step++;
      } else {
        boolean projects = second && part.equals(units.get(units.size() - 2));
        out.put(from + part, projects ? unit : unit + ".0");
      }
    }
  }

  private static String mobile(String architecture, String key, Map<String, String> blocks) {
    int dot = key.lastIndexOf('.');
    String layer = key.substring(0, Math.max(dot, 0));
    String part = key.substring(Math.max(dot, 0));
    boolean third = architecture.startsWith("mobilenet_v3");
    int stages =
        blocks.values().stream()
            .map(v -> v.split("\\.")[1])
            .mapToInt(Integer::parseInt)
            .max()
            .orElse(0);
    return switch (layer) {
      case "conv_stem" -> "features.0.0" + part;
      case "bn1" -> "features.0.1" + part;
      case "conv_head" -> (third ? "classifier.0" : "features." + (stages + 1) + ".0") + part;
      case "bn2" -> "features." + (stages + 1) + ".1" + part;
      case "classifier" -> (third ? "classifier.3" : "classifier.1") + part;
      default -> blocks.getOrDefault(layer, layer) + part;
    };
  }

  // ---- others ----------------------------------------------------------------------------------

  private static String regNet(String key) {
    Matcher m = REGNET.matcher(key);
    if (!m.matches() || m.group(2).length() > 3) {
      return key.replaceFirst("^stem\\.conv\\.", "stem.0.")
          .replaceFirst("^stem\\.bn\\.", "stem.1.")
          .replaceFirst("^head\\.fc\\.", "fc.");
    }
    String part =
        m.group(3)
            .replaceFirst("^conv1\\.", "f.a.")
            .replaceFirst("^conv2\\.", "f.b.")
            .replaceFirst("^conv3\\.", "f.c.")
            .replaceFirst("^se\\.", "f.se.")
            .replaceFirst("^downsample\\.", "proj.")
            .replace(".conv.", ".0.")
            .replace(".bn.", ".1.");
    String stage = "block" + m.group(1);
    int block = Integer.parseInt(m.group(2)) - 1;
    return "trunk_output." + stage + "." + stage + "-" + block + "." + part;
  }

  private static String convNext(String key) {
    Matcher m = STAGE.matcher(key);
    if (!m.matches() || m.group(1).length() > 3) {
      return key.replaceFirst("^stem\\.", "features.0.")
          .replaceFirst("^head\\.norm\\.", "classifier.0.")
          .replaceFirst("^head\\.fc\\.", "classifier.2.");
    }
    int stage = Integer.parseInt(m.group(1));
    String part = m.group(2);
    if (part.startsWith("downsample.")) {
      return "features." + 2 * stage + part.substring("downsample".length());
    }
    return "features."
        + (2 * stage + 1)
        + "."
        + part.replaceFirst("^blocks\\.", "")
            .replaceFirst("\\.conv_dw\\.", ".block.0.")
            .replaceFirst("\\.norm\\.", ".block.2.")
            .replaceFirst("\\.mlp\\.fc1\\.", ".block.3.")
            .replaceFirst("\\.mlp\\.fc2\\.", ".block.5.")
            .replaceFirst("\\.gamma$", SCALE);
  }
}
