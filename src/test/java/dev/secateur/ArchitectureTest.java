package dev.secateur;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows of the design point one way. */
@AnalyzeClasses(packages = "dev.secateur", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

  @ArchTest
  static final ArchRule ARROWS =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("cli")
          .definedBy("..cli..")
          .layer("prune")
          .definedBy("..prune..")
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
          .whereLayer("prune")
          .mayOnlyBeAccessedByLayers("cli")
          .whereLayer("bench")
          .mayOnlyBeAccessedByLayers("cli")
          .whereLayer("train")
          .mayOnlyBeAccessedByLayers("cli", "prune", "bench")
          .whereLayer("io")
          .mayOnlyBeAccessedByLayers("cli", "prune", "bench")
          .whereLayer("nn")
          .mayOnlyBeAccessedByLayers("cli", "prune", "bench", "train", "io")
          .whereLayer("pls")
          .mayOnlyBeAccessedByLayers("cli", "prune", "bench")
          .whereLayer("data")
          .mayOnlyBeAccessedByLayers("cli", "prune", "bench", "train");

  @ArchTest
  static final ArchRule DEVICES_KNOW_TENSORS_ONLY =
      noClasses()
          .that()
          .resideInAPackage("..device..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "..cli..",
              "..prune..",
              "..bench..",
              "..train..",
              "..io..",
              "..nn..",
              "..pls..",
              "..data..");

  @ArchTest
  static final ArchRule ONLY_THE_CPU_DEVICE_KNOWS_BYTEDECO =
      noClasses()
          .that()
          .resideOutsideOfPackage("..device.cpu..")
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
}
