package dev.secateur.data;

import java.util.List;

/** Images, or those of pairs, of which nothing more is known. */
public final class Unlabelled extends ForwardingDataset {
  /**
   * @param of them, with labels of any kind
   */
  public Unlabelled(Dataset of) {
    super(of);
  }

  @Override
  public List<String> classNames() {
    return List.of("image");
  }

  @Override
  public int label(int index) {
    return 0;
  }

  @Override
  public Labels labels() {
    return Labels.NONE;
  }
}
