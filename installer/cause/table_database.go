package cause

// databaseCauses lie in the database and the registry. The numbers are MySQL's, as PyMySQL and peewee print them.
var databaseCauses = []Cause{
	{
		ID: "wrong-password", Title: "a password is refused",
		Explanation: "The database or ZooKeeper refuses the login that a program uses: its password was changed " +
			"on one side only, or the account does not exist for this host's address.",
		Remedy: "fate-installer plan shows files that differ from what is installed; fate-installer install " +
			"renders them and sets the accounts again. On a party of several hosts every host needs the same secrets",
		Patterns: []Pattern{
			anywhere(`Access denied for user|\((?:1045|1044|1698),|NoAuthError|AuthFailedError|` +
				`KeeperErrorCode = (?:NoAuth|AuthFailed)`),
			only(Program, `Access denied for user`),
		},
	},
	{
		// ER_HOST_IS_BLOCKED and ER_HOST_NOT_PRIVILEGED of MySQL and MariaDB.
		ID: "database-refuses-host", Title: "the database refuses connections from a host",
		Explanation: "The server has no account for the address of the host, or blocks the host after too many " +
			"connections that broke off.",
		Remedy: "for a blocked host: mysqladmin flush-hosts on the database's host. Otherwise compare the addresses of " +
			"the hosts with those of the cluster file; fate-installer install on the database's host sets the accounts again",
		Patterns: []Pattern{anywhere(`Host '[^']*' is (?:not allowed to connect|blocked because)|\((?:1129|1130),`)},
	},
	{
		// InnoDB's words in the error log of MySQL and MariaDB, and ER_CRASHED_ON_USAGE.
		ID: "database-damaged", Title: "files of the database are damaged",
		Explanation: "The server found a page or a table that it cannot read, which happens when a disk fails or was " +
			"full, or when files were copied while it ran.",
		Remedy: "copy the directory of the database before anything else, then restore a backup: fate-installer restore " +
			"FILE; without one ask who knows InnoDB (innodb_force_recovery)",
		Patterns: []Pattern{anywhere(`InnoDB: .*\b(?:[Cc]orrupt(?:ion|ed)?\b|checksum mismatch)|` +
			`is marked as crashed|\((?:1034|1194|1195),`)},
	},
	{
		ID: "database-schema", Title: "a table of the database has not the columns that this release needs",
		Explanation: "FATE-Flow or eggroll asked for a column or table that does not exist. This is how an " +
			"upgrade shows that did not change the tables.",
		Remedy: "fate-installer upgrade with this release completes the tables; fate-installer rollback goes " +
			"back to the release before",
		Patterns: []Pattern{anywhere(`[Uu]nknown column '|Column '[^']*' not found|\((?:1054|1146),|` +
			`Table '[^']*' doesn't exist`)},
	},
	{
		ID: "database-connections", Title: "the database takes no more connections",
		Explanation: "All connections that the server allows are in use.",
		Remedy: "raise max_connections of the database; programs that were ended with kill keep their " +
			"connections until the server notices",
		Patterns: []Pattern{anywhere(`Too many connections|\(1040,`)},
	},
	{
		// fate_flow/db/db_models.py DatabaseLock, called by model/sync_model.py with a time of -1.
		ID: "model-store-lock", Title: "the model store gets no lock from the database",
		Explanation: "FATE-Flow stores models of a party with several FATE-Flows in the database and takes a lock " +
			"with GET_LOCK(name, -1). MariaDB answers NULL to a negative time; MySQL waits.",
		Remedy: "use MySQL 8 as the database of a highly available party, or switch the model store off " +
			"(model_store in the cluster file) and use one FATE-Flow",
		Patterns: []Pattern{anywhere(`failed to acquire lock|Incorrect timeout value: '-1'`)},
	},
	{
		ID: "database-away", Title: "the database does not answer",
		Explanation: "FATE-Flow or eggroll could not reach the database, or lost the connection while the job ran.",
		Remedy: "fate-installer svc why fate-mysql on the database's host; fate-installer svc status " +
			"--all-hosts shows where it is. Then run the job again",
		Patterns: []Pattern{
			anywhere(`Can't connect to MySQL server|\((?:2002|2003|2006|2013|2055),|MySQL server has gone away|` +
				`Lost connection to MySQL server|[Cc]ommunications link failure|CommunicationsException|` +
				`Cannot create PoolableConnectionFactory|Could not create connection to database server`),
			only(State, `^the database does not answer`),
			only(Program, `^fate-mysql is `),
		},
	},
	{
		// kazoo, the client that FATE-Flow uses, and fate_flow/errors/error_services.py.
		ID: "zookeeper-away", Title: "ZooKeeper does not answer",
		Explanation: "FATE-Flow finds the other FATE-Flows of the party, and what it has registered itself, in " +
			"ZooKeeper.",
		Remedy: "fate-installer svc why fate-zookeeper on its hosts; fate-installer svc status --all-hosts " +
			"shows which FATE-Flow is registered",
		Patterns: []Pattern{
			anywhere(`ZooKeeper backend error|KazooTimeoutError|kazoo\.exceptions\.(?:ConnectionLoss|` +
				`ConnectionClosed|SessionExpired|OperationTimeout)|KeeperErrorCode = (?:ConnectionLoss|` +
				`SessionExpired)`),
			only(Program, `^fate-zookeeper is `),
		},
	},
}
