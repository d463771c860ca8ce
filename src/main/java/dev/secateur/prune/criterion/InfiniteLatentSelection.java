package dev.secateur.prune.criterion;

import dev.secateur.nn.Network;
import dev.secateur.pls.CrossProducts;
import dev.secateur.pls.Moments;
import dev.secateur.tensor.Shape;
import java.util.List;
import java.util.Map;

/**
 * Infinite latent feature selection (Roffo, Melzi, Castellani and Vinciarelli, ICCV 2017). Each
 * value of a feature becomes one of {@value #TOKENS} tokens by how much nearer it lies to its own
 * class's mean than to the others'; a feature's token counts are explained by two topics, relevant
 * and not, whose token probabilities fall and rise linearly; v_j is the part of the relevant topic
 * in feature j that makes the counts most likely. Features i, j are joined by v_i v_j, and a
 * feature's score sums the weight of all paths from it: the row sums of (I - rA)⁻¹ - I, r = 0.9 /
 * ρ(A).
 *
 * <p>Where this follows the authors' code or departs from it: as there, the topics' token
 * probabilities stay where they begin, so v_j is the maximum of a concave function of one variable,
 * found by bisection instead of EM. A has rank one, so the row sums are v_j Σv r / (1 - 0.9). There
 * the token is the squared distance to the own class's mean as a part of the distances to all; with
 * many classes nearly all values would get the first token, so the part is scaled by half the
 * number of classes (no change for two). Tokens divide 0..1 evenly.
 *
 * <p>The images are gone through twice: for the class means, and for the tokens, which the host
 * counts batch by batch; memory does not grow with the number of images.
 */
final class InfiniteLatentSelection implements Criterion {
  private static final int TOKENS = 6;
  private static final double SHRINK = 0.9;

  @Override
  public String name() {
    return "ilfs";
  }

  @Override
  public boolean needsLabels() {
    return true;
  }

  @Override
  public boolean scoresSums() {
    return true;
  }

  @Override
  public Map<String, float[]> score(Network net, List<String> layers, ScoringData data) {
    int p = Features.count(net.graph(), layers);
    int q = data.classes(net.graph());
    Moments moments;
    try (CrossProducts sums = CrossProducts.of(net.device(), p, q, data.batchRows(), data.rows())) {
      Features.stream(
          "score 1/2", net, layers, data, (x, y, known, rows) -> sums.accumulate(x, y, rows));
      moments = Moments.of(sums);
    }
    Enough.rows(name(), data.row(), moments.counts(), 2);
    Enough.classes(name(), data.row(), moments.counts());
    Enough.varying(name(), data.row(), moments.counts(), Host.floats(moments.deviations()));
    TokenCounts tokens = new TokenCounts(moments);
    Features.stream(
        "score 2/2",
        net,
        layers,
        data,
        (x, y, known, rows) ->
            tokens.add(net.device().downloadFloats(x.view(0, Shape.of(rows, p))), known.get()));
    return Enough.scores(name(), Features.byLayer(net.graph(), layers, tokens.scores()));
  }

  /** How often each token occurs in each feature. */
  static final class TokenCounts {
    private final double[] means;
    private final double[] shares;
    private final int features;
    private final int[][] counts;

    TokenCounts(Moments m) {
      features = m.features();
      means = new double[m.classes() * features];
      shares = m.counts();
      counts = new int[features][TOKENS];
      for (int i = 0; i < means.length; i++) {
        double n = m.counts()[i / features];
        means[i] = m.means()[i % features] + (n == 0 ? 0 : m.classSums()[i] / n);
      }
    }

    /**
     * @param values row-major (rows, features)
     */
    void add(float[] values, int[] labels) {
      for (int i = 0; i < values.length; i++) {
        counts[i % features][token(values[i], i % features, labels[i / features])]++;
      }
    }

    private int token(double value, int feature, int label) {
      double all = 0;
      double own = 0;
      int present = 0;
      for (int k = 0; k < shares.length; k++) {
        if (shares[k] > 0) {
          double d = value - means[k * features + feature];
          all += d * d;
          own = k == label ? d * d : own;
          present++;
        }
      }
      // a feature that does not vary says nothing: as far from its own class as from the others
      double part = all == 0 ? 0.5 : own / all * present / 2;
      return Math.min(TOKENS - 1, (int) (part * TOKENS));
    }

    float[] scores() {
      double[] v = new double[features];
      double sum = 0;
      double rho = 0;
      for (int j = 0; j < features; j++) {
        v[j] = relevance(counts[j]);
        sum += v[j];
        rho += v[j] * v[j];
      }
      for (int j = 0; j < features; j++) {
        v[j] = rho == 0 ? 0 : v[j] * sum * SHRINK / rho / (1 - SHRINK);
      }
      return Host.floats(v);
    }
  }

  /** The v in 0..1 that maximises Σ_t n_t log(v P(t | relevant) + (1 - v) P(t | not)). */
  static double relevance(int[] tokens) {
    double low = 0;
    double high = 1;
    for (int step = 0; step < 60; step++) {
      double v = (low + high) / 2;
      double slope = 0;
      for (int t = 0; t < TOKENS; t++) {
        double relevant = probability(t);
        double not = probability(TOKENS - 1 - t);
        slope += tokens[t] * (relevant - not) / (v * relevant + (1 - v) * not);
      }
      if (slope > 0) {
        low = v;
      } else {
        high = v;
      }
    }
    return (low + high) / 2;
  }

  /** From 5000 down to 1 in equal steps, over the sum. */
  private static double probability(int token) {
    double weight = 5000 - 4999.0 * token / (TOKENS - 1);
    return weight / (5001.0 * TOKENS / 2);
  }
}
