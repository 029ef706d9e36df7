-- STAND-IN for the file of that name in eggroll's package. What it leaves out, the script that makes the tables has.
ALTER TABLE session_processor ADD processor_option VARCHAR(512);
