package dev.secateur;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameStartingWith;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import dev.secateur.device.Operations;
import java.util.Arrays;
import java.util.stream.Stream;

/** The arrows of the design point one way. */
@AnalyzeClasses(packages = "dev.secateur", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

  private static final String[] ABOVE_TRAINING = {
    "cli", "experiment", "report", "run", "latency", "prune", "criterion", "bench"
  };

  @ArchTest
  static final ArchRule ARROWS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("cli")
          .definedBy("..cli..")
          .layer("experiment")
          .definedBy("..experiment..")
          .layer("report")
          .definedBy("..report..")
          .layer("run")
          .definedBy("..run..")
          .layer("latency")
          .definedBy("..prune.latency..")
          .layer("prune")
          .definedBy("dev.secateur.prune")
          .layer("criterion")
          .definedBy("..prune.criterion..")
          .layer("bench")
          .definedBy("..bench..")
          .layer("train")
          .definedBy("..train..")
          .layer("io")
          .definedBy("..io..")
          .layer("nn")
          .definedBy("..nn..")
          .layer("pls")
          .definedBy("..pls..")
          .layer("data")
          .definedBy("..data..")
          .layer("device")
          .definedBy("..device..")
          .layer("tensor")
          .definedBy("..tensor..")
          .whereLayer("cli")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("experiment")
          .mayOnlyBeAccessedByLayers("cli")
          .whereLayer("report")
          .mayOnlyBeAccessedByLayers("cli", "experiment")
          .whereLayer("run")
          .mayOnlyBeAccessedByLayers("cli", "experiment", "report")
          .whereLayer("latency")
          .mayOnlyBeAccessedByLayers("cli", "experiment", "report", "run")
          .whereLayer("prune")
          .mayOnlyBeAccessedByLayers("cli", "experiment", "report", "run", "latency")
          .whereLayer("criterion")
          .mayOnlyBeAccessedByLayers("cli", "experiment", "report", "run", "latency", "prune")
          .whereLayer("bench")
          .mayOnlyBeAccessedByLayers("cli", "experiment", "report", "run")
          .whereLayer("train")
          .mayOnlyBeAccessedByLayers(ABOVE_TRAINING)
          .whereLayer("io")
          .mayOnlyBeAccessedByLayers(ABOVE_TRAINING)
          .whereLayer("nn")
          .mayOnlyBeAccessedByLayers(with(ABOVE_TRAINING, "train", "io"))
          .whereLayer("pls")
          .mayOnlyBeAccessedByLayers("criterion", "cli")
          .whereLayer("data")
          .mayOnlyBeAccessedByLayers(with(ABOVE_TRAINING, "train"));

  private static String[] with(String[] layers, String... more) {
    return Stream.concat(Arrays.stream(layers), Arrays.stream(more)).toArray(String[]::new);
  }

  @ArchTest
  static final ArchRule UTIL_KNOWS_NOBODY =
      noClasses()
          .that()
          .resideInAPackage("..util..")
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.secateur..")
                  .and(not(resideInAnyPackage("dev.secateur", "dev.secateur.util"))));

  @ArchTest
  static final ArchRule NO_CIRCLES =
      slices().matching("dev.secateur.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule DEVICES_KNOW_TENSORS_ONLY =
      noClasses()
          .that()
          .resideInAPackage("..device..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.secateur.cli..",
              "dev.secateur.experiment..",
              "dev.secateur.report..",
              "dev.secateur.run..",
              "dev.secateur.prune..",
              "dev.secateur.bench..",
              "dev.secateur.train..",
              "dev.secateur.io..",
              "dev.secateur.nn..",
              "dev.secateur.pls..",
              "dev.secateur.data..");

  /** Operations are called by the names that check their operands. */
  @ArchTest
  static final ArchRule ONLY_DEVICES_COMPILE_UNCHECKED =
      noClasses()
          .that()
          .resideOutsideOfPackage("..device..")
          .should()
          .callMethodWhere(
              target(owner(assignableTo(Operations.class)))
                  .and(target(nameStartingWith("compile"))));

  @ArchTest
  static final ArchRule ONLY_THE_CPU_DEVICE_AND_ONE_DECODER_KNOW_BYTEDECO =
      noClasses()
          .that()
          .resideOutsideOfPackage("..device.cpu..")
          .and()
          .doNotHaveSimpleName("TurboJpeg")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.bytedeco..");

  @ArchTest
  static final ArchRule ONLY_THE_CUDA_DEVICE_KNOWS_JCUDA =
      noClasses()
          .that()
          .resideOutsideOfPackage("..device.cuda..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("jcuda..");

  @ArchTest
  static final ArchRule ONLY_THE_CUDA_DEVICE_KNOWS_JNA =
      noClasses()
          .that()
          .resideOutsideOfPackage("..device.cuda..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("com.sun.jna..");

  /** JCudaRuntime holds CUDA's runtime inside and cannot be stood in for. */
  @ArchTest
  static final ArchRule NOBODY_CALLS_THE_RUNTIME_API =
      noClasses()
          .should()
          .dependOnClassesThat()
          .haveFullyQualifiedName("jcuda.runtime.JCudaRuntime");
}
