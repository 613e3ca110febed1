# What a program started by PostgreSQL tries: every line that succeeds is a breach.
cat > /tmp/programme.sh <<'FIN'
mount -t tmpfs none /mnt 2>/dev/null && echo PASSE mount
mknod /tmp/disque b 8 0 2>/dev/null && echo PASSE mknod
echo x 2>/dev/null > /proc/sys/kernel/core_pattern && echo PASSE core_pattern
unshare -m true 2>/dev/null && echo PASSE unshare
chown root /tmp/programme.sh 2>/dev/null && echo PASSE chown
ls /var/run/docker.sock 2>/dev/null && echo PASSE socket
FIN
for essai in 1 2 3 4 5; do
  psql -qc "COPY (SELECT 1) TO PROGRAM 'sh /tmp/programme.sh > /tmp/sortie'" && break
  sleep 1
done
cat /tmp/sortie
echo fini
