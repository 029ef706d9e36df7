-- metadata of a computing engine; written with the habits of the real schema: it's loaded by the stock client
--CREATE DATABASE IF NOT EXISTS `elsewhere`;

-- all below is meant for one database
--USE `elsewhere`;
CREATE DATABASE IF NOT EXISTS `elsewhere`;
USE `elsewhere`;

-- nodes
CREATE TABLE IF NOT EXISTS `server_node` (
  `server_node_id` SERIAL PRIMARY KEY,               -- counts; nobody sets it
  `name` VARCHAR(2000) NOT NULL DEFAULT '',
  `server_cluster_id` BIGINT UNSIGNED NOT NULL DEFAULT 0,
  `host` VARCHAR(1000) NOT NULL,
  `port` INT NOT NULL,
  `node_type` VARCHAR(255) NOT NULL,
  `status` VARCHAR(255) NOT NULL,
  `last_heartbeat_at` DATETIME DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
  `created_at` DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE INDEX `idx_server_node_h_p_nt` ON `server_node` (`host`(600), `port`, `node_type`(100));
CREATE INDEX `idx_server_node_h` ON `server_node` (`host`(767));

/* locations;
   two lines */
CREATE TABLE IF NOT EXISTS `store_locator` (
  `store_locator_id` SERIAL PRIMARY KEY,
  `namespace` VARCHAR(2000) NOT NULL DEFAULT 'DE;FAULT', # a semicolon in quotes
  `name` VARCHAR(2000) NOT NULL COMMENT 'it''s "quoted" \' ; --'
) DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci;

CREATE UNIQUE INDEX `idx_u_store_locator_ns_n` ON `store_locator` (`namespace`(120), `name`(640));
