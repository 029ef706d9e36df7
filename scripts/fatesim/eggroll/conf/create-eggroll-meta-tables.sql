-- STAND-IN for eggroll 2.5's schema: its tables and columns, written for demonstrations and tests.
-- The tables are latin1: as utf8mb4 the longest keys would be too long.

CREATE TABLE IF NOT EXISTS store_locator (
  store_locator_id SERIAL PRIMARY KEY,
  store_type VARCHAR(255) NOT NULL,
  namespace VARCHAR(2000) NOT NULL DEFAULT 'DEFAULT',
  name VARCHAR(2000) NOT NULL,
  path VARCHAR(2000) NOT NULL DEFAULT '',
  total_partitions INT UNSIGNED NOT NULL,
  partitioner VARCHAR(2000) NOT NULL DEFAULT 'BYTESTRING_HASH',
  serdes VARCHAR(2000) NOT NULL DEFAULT '',
  version INT UNSIGNED NOT NULL DEFAULT 0,
  status VARCHAR(255) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, -- set once
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_store_locator_ns_n (namespace(120), name(640)) -- 760 of the 767 bytes that a key may have
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS store_option (
  store_option_id SERIAL PRIMARY KEY,
  store_locator_id BIGINT UNSIGNED NOT NULL,
  name VARCHAR(255) NOT NULL,
  data VARCHAR(2000) NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_store_option_si (store_locator_id)
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS store_partition (
  store_partition_id SERIAL PRIMARY KEY, -- of one partition on one node
  store_locator_id BIGINT UNSIGNED NOT NULL,
  node_id BIGINT UNSIGNED NOT NULL,
  partition_id INT UNSIGNED NOT NULL,
  status VARCHAR(255) NOT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_store_partition_si (store_locator_id)
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS server_node (
  server_node_id SERIAL PRIMARY KEY,
  name VARCHAR(2000) NOT NULL DEFAULT '',
  server_cluster_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  host VARCHAR(1000) NOT NULL,
  port INT NOT NULL,
  node_type VARCHAR(255) NOT NULL,
  status VARCHAR(255) NOT NULL,
  last_heartbeat_at DATETIME DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_server_node_h_p_nt (host(600), port, node_type(100))
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS node_resource (
  resource_id SERIAL PRIMARY KEY,
  server_node_id BIGINT NOT NULL,
  resource_type VARCHAR(255) DEFAULT NULL,
  total BIGINT NOT NULL DEFAULT 0,
  used BIGINT NOT NULL DEFAULT 0,
  pre_allocated BIGINT NOT NULL DEFAULT 0,
  allocated BIGINT NOT NULL DEFAULT 0,
  status VARCHAR(255) NOT NULL DEFAULT 'INIT',
  extention VARCHAR(512) DEFAULT NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_node_resource_n (server_node_id)
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS session_main (
  session_id VARCHAR(767) PRIMARY KEY,
  name VARCHAR(2000) NOT NULL DEFAULT '',
  status VARCHAR(255) NOT NULL,
  tag VARCHAR(255) DEFAULT NULL,
  total_proc_count INT DEFAULT 0,
  active_proc_count INT DEFAULT 0,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_session_main_s (status)
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS session_option (
  session_option_id SERIAL PRIMARY KEY,
  session_id VARCHAR(2000) DEFAULT NULL,
  name VARCHAR(255) NOT NULL,
  data VARCHAR(2000) NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_session_option_s (session_id(767))
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS session_processor (
  processor_id SERIAL PRIMARY KEY,
  session_id VARCHAR(767) DEFAULT NULL,
  server_node_id INT NOT NULL,
  processor_type VARCHAR(255) NOT NULL,
  status VARCHAR(255) DEFAULT NULL,
  tag VARCHAR(255) DEFAULT NULL,
  command_endpoint VARCHAR(255) DEFAULT NULL,
  transfer_endpoint VARCHAR(255) DEFAULT NULL,
  processor_option VARCHAR(512) DEFAULT NULL,
  pid INT NOT NULL DEFAULT -1,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_session_processor_s (session_id)
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS processor_resource (
  id SERIAL PRIMARY KEY,
  processor_id BIGINT NOT NULL,
  session_id VARCHAR(767) DEFAULT NULL,
  server_node_id INT NOT NULL,
  resource_type VARCHAR(255) DEFAULT NULL,
  allocated BIGINT NOT NULL DEFAULT 0,
  status VARCHAR(255) DEFAULT NULL,
  extention VARCHAR(512) DEFAULT NULL,
  pid INT NOT NULL DEFAULT -1,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_processor_resource_p (processor_id)
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE TABLE IF NOT EXISTS session_ranks (
  container_id SERIAL PRIMARY KEY,
  session_id VARCHAR(767) DEFAULT NULL,
  server_node_id INT NOT NULL,
  global_rank INT UNSIGNED NOT NULL,
  local_rank INT UNSIGNED NOT NULL,
  INDEX idx_session_ranks_s (session_id)
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;
