-- STAND-IN for the file of that name in FATE's package: the columns of t_task that came with FATE 1.11.2.
ALTER TABLE t_task ADD f_is_deepspeed BOOL NOT NULL DEFAULT FALSE;
ALTER TABLE t_task ADD f_deepspeed_id VARCHAR(200) DEFAULT '';
