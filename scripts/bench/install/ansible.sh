# Prints the times of the way of AnsibleFATE, which bound.go reads. It runs after bound.sh, on its unpacked trees, with
# the python supervisor in /root/supervisor. It leaves the party stopped.
set -euo pipefail
conf=/data/projects/common/supervisord/supervisord.d
base=/data/projects/fate
work=/data/bench
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.3f", b - a }'; }

# What AnsibleFATE carries: archives without compiled code, and python's packages as wheels.
find $work/trees -name __pycache__ -prune -exec rm -r {} +
wheels=$work/wheels
site=$(cd $work/trees/python && ls -d lib/python3*/*-packages | head -1)
mkdir -p $wheels
python=$work/trees/python/bin/python3
export LD_LIBRARY_PATH=$work/trees/python/lib
"$python" -B -c '
import os, shutil, sys
site, wheels = sys.argv[1:]
for name in sorted(os.listdir(site)):
    shutil.make_archive(os.path.join(wheels, name), "zip", site, name)
' "$work/trees/python/$site" $wheels
rm -rf "$work/trees/python/$site" $work/tars
mkdir $work/tars
for tree in $work/trees/*; do tar -C "$tree" -czf "$work/tars/$(basename "$tree").tar.gz" .; done
rm -rf $work/trees

began=$(now)
for archive in $work/tars/*.tar.gz; do
	tree=$work/trees/$(basename "$archive" .tar.gz)
	mkdir -p "$tree"
	tar -C "$tree" -xzf "$archive"
done
echo archives "$(since "$began")"

# As pip does with wheels: each is unpacked and compiled.
began=$(now)
"$python" -c '
import compileall, os, sys, zipfile
site, wheels = sys.argv[1:]
for name in sorted(os.listdir(wheels)):
    zipfile.ZipFile(os.path.join(wheels, name)).extractall(site)
    compileall.compile_dir(os.path.join(site, name[:-len(".zip")]), quiet=2)
' "$work/trees/python/$site" $wheels
echo wheels "$(since "$began")"

fate-installer svc stop all >/dev/null
systemctl stop fate-supervisor
find $base -name __pycache__ -prune -exec rm -r {} +
mkdir -p $work/programs
for file in $conf/fate-*.conf; do
	sed 's/^autostart *=.*//; s/^std\(out\|err\)_logfile *=.*//' "$file" >"$work/programs/$(basename "$file")"
	printf 'autostart=false\nstdout_logfile=NONE\nstderr_logfile=NONE\n' >>"$work/programs/$(basename "$file")"
done
cat >$work/supervisord.conf <<END
[unix_http_server]
file=$work/supervisor.sock
[supervisord]
logfile=$work/supervisord.log
pidfile=$work/supervisord.pid
minfds=10000
[supervisorctl]
serverurl=unix://$work/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files=$work/programs/*.conf
END
export PYTHONPATH=/root/supervisor
ctl() { "$python" -m supervisor.supervisorctl -c $work/supervisord.conf "$@"; }
began=$(now)
"$python" -m supervisor.supervisord -c $work/supervisord.conf
for _ in $(seq 600); do
	[ ! -S $work/supervisor.sock ] || break
	sleep 0.1
done
# A playbook goes on when the program's port is open.
while read -r name port; do
	[ -e "$conf/$name.conf" ] || continue
	ctl start "$name" >/dev/null </dev/null
	tries=0
	until (exec 3<>"/dev/tcp/$ADDRESS/$port") 2>/dev/null; do
		sleep 0.05
		tries=$((tries + 1))
		[ $tries -lt 4000 ] || { ctl status >&2; exit 1; }
	done
done <<<"$PROGRAMS"
echo programs "$(since "$began")"

# Here its playbooks end. A job that begins before the nodemanager is HEALTHY fails.
began=$(now)
tries=0
until fate-installer svc probe-nodes --conf $base/eggroll/conf/eggroll.properties "$ADDRESS:4671" 2>/dev/null; do
	sleep 0.2
	tries=$((tries + 1))
	[ $tries -lt 600 ] || { echo "the nodemanager is not HEALTHY" >&2; exit 1; }
done
echo nodemanager "$(since "$began")"
ctl shutdown >/dev/null
