#!/bin/sh
# enter.sh INSTALLATION COMPUTER REPOSITORY MODULES FOLDER COMMAND...: runs a program of Windows in this process' namespaces. INSTALLATION
# is what setup.ts made; COMPUTER a folder with the hard disk (prefix/) and a folder for temporary files (tmp/); MODULES a folder to
# take the place of the repository's node_modules, or "". FOLDER is where it starts, as Unix names it inside: the repository is /repo.
# The mounts are this mount namespace's own, and go with it.
set -eu
installation=$1 computer=$2 repository=$3 modules=$4 folder=$5
shift 5
root=$installation/root
mount --make-rprivate /
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --bind "$repository" "$root/repo"
[ -z "$modules" ] || mount --bind "$modules" "$root/repo/node_modules"
mount --bind "$computer" "$root/computer"
mount --bind "$computer/tmp" "$root/tmp"
mount --bind "$computer/hosts" "$root/etc/hosts"
# In the network of the machine itself, names are looked up as there.
for file in ${OUTSIDE:+hosts resolv.conf}; do mount --bind "/etc/$file" "$root/etc/$file"; done
exec chroot "$root" /usr/bin/env -i --chdir="$folder" "$@"
