package com.mysql.cj.jdbc;

/**
 * STAND-IN for MySQL's driver under the name that eggroll.properties gives it. Loading it loads MariaDB's driver, which
 * speaks the same protocol and takes the same jdbc:mysql: URLs.
 */
public final class Driver {
  static {
    try {
      Class.forName("org.mariadb.jdbc.Driver");
    } catch (ClassNotFoundException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private Driver() {}
}
