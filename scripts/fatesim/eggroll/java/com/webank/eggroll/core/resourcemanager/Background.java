package com.webank.eggroll.core.resourcemanager;

/** Threads that do not keep the process alive. */
final class Background {
  private Background() {}

  static Thread thread(Runnable work) {
    Thread t = new Thread(work);
    t.setDaemon(true);
    return t;
  }
}
