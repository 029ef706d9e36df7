package com.webank.eggroll.core.resourcemanager;

/** The generation of eggroll that is copied, by the version in the jar's manifest. */
final class Generation {
  private Generation() {}

  /** Whether nodemanagers register themselves and send heartbeats, and processors have options: since 2.5. */
  static boolean registers() {
    String version = Generation.class.getPackage().getImplementationVersion();
    String[] numbers = (version == null ? "2.5" : version).split("\\.");
    return Integer.parseInt(numbers[0]) > 2 || Integer.parseInt(numbers[1]) >= 5;
  }
}
