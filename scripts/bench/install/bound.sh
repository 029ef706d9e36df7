# Prints the times that bound.go reads. It runs on a host where the party is installed and warm.
set -euo pipefail
conf=/data/projects/common/supervisord/supervisord.d
work=/data/bench
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.3f", b - a }'; }
processor() { awk '$1 == "usage_usec" { printf "%.6f", $2 / 1e6 }' /sys/fs/cgroup/cpu.stat; }
used() { awk -v a="$1" -v b="$(processor)" 'BEGIN { printf "%.3f", b - a }'; }

rm -rf $work && mkdir -p $work/tars
/root/fate-installer bundle extract all $work/trees >/dev/null 2>&1
for tree in $work/trees/*; do tar -C "$tree" -cf "$work/tars/$(basename "$tree").tar" .; done
rm -rf $work/trees
before=$(processor)
began=$(now)
for archive in $work/tars/*.tar; do
	tree=$work/trees/$(basename "$archive" .tar)
	mkdir -p "$tree"
	tar -C "$tree" -xf "$archive"
done
echo tar "$(since "$began")"
echo processor "$(used "$before")"

# A start ends here when the program's port is open, as in ansible.sh: that a clustermanager works takes a nodemanager.
fate-installer svc stop all >/dev/null
before=$(processor)
while read -r name port; do
	[ -e "$conf/$name.conf" ] || continue
	began=$(now)
	fate-installer svc start "$name" >/dev/null 2>&1 </dev/null &
	tries=0
	until (exec 3<>"/dev/tcp/$ADDRESS/$port") 2>/dev/null; do
		sleep 0.05
		tries=$((tries + 1))
		[ $tries -lt 4000 ] || { echo "$name does not listen on $port" >&2; exit 1; }
	done
	echo "$name" "$(since "$began")" $(sed -n 's/^depends_on *= *//p' "$conf/$name.conf" | tr ',' ' ')
done <<<"$PROGRAMS"
echo processor "$(used "$before")"
fate-installer svc start all >/dev/null
wait

# The database is made again, from what the component carries, and nothing else is to be done.
fate-installer svc stop all >/dev/null
mv /data/projects/data/fate/mysql $work/mysql
/root/fate-installer install --role host --party 10000 -o json 2>/dev/null | awk '
	$1 == "\"id\":" { made = index($2, "\"database") == 1 }
	$1 == "\"elapsed_ns\":" && made { sum += $2; made = 0 }
	END { printf "database %.3f\n", sum / 1e9 }'
