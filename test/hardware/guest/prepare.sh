#!/usr/bin/env bash
# Gets what the guest of the hardware tests is made of, from Debian's archive only: QEMU, the distribution's kernel, the two
# kernel modules that Debian leaves out (virtio I2C and GPIO, built from its kernel source) and an initial root file system.
# About a minute and half a gigabyte of disk the first time, a second afterwards. Nothing is loaded or changed on the host
# beyond the packages that apt-get installs, which needs root or a sudo without a password.
#   GUEST_CACHE  where it is kept (default ~/.cache/qqr-edge/guest)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${GUEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qqr-edge/guest}
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # two preparations at once would tread on each other
cd "$cache"
export DEBIAN_FRONTEND=noninteractive
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)

say() { printf 'guest  %s\n' "$*"; }
install() {
  say "apt-get install $*"
  "${as_root[@]}" apt-get install --yes --quiet --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >apt.log 2>&1 && return
  "${as_root[@]}" apt-get update --quiet >apt.log 2>&1
  "${as_root[@]}" apt-get install --yes --quiet --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >>apt.log 2>&1 && return
  tail -20 apt.log >&2
  return 1
}
# The kernel is only unpacked here: installing it would touch the host's boot loader.
unpack() { # PACKAGE FOLDER
  say "apt-get download $1"
  rm -rf download && mkdir download
  (cd download && apt-get -o APT::Sandbox::User=root download --quiet "$1" >/dev/null)
  dpkg -x download/*.deb "$2"
  rm -rf download
}

missing=()
command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
[ -x /bin/busybox ] || missing+=(busybox-static)
[ -x /sbin/modprobe ] || missing+=(kmod)
[ -x /lib/systemd/systemd ] || missing+=(systemd) # the guest's: it has the host's files
[ -x /lib/systemd/systemd-udevd ] || missing+=(udev)
command -v cpio >/dev/null || missing+=(cpio)
command -v xz >/dev/null || missing+=(xz-utils)
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"

if [ ! -s release ]; then
  apt-cache policy linux-image-amd64 | grep -q 'Candidate: [0-9]' || "${as_root[@]}" apt-get update --quiet >apt.log 2>&1
  apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-\(.*-amd64\)$/\1/p' | head -1 >release
fi
release=$(cat release) # such as 6.1.0-40-amd64; the smaller "cloud" kernel has neither I2C nor GPIO
modules=$cache/kernel/lib/modules/$release

[ -e "kernel/boot/vmlinuz-$release" ] || unpack "linux-image-$release" kernel
# Unpacked once here: decompressing itself takes the emulated kernel ten seconds at each start.
if [ ! -s vmlinux ]; then
  python3 "$here/extract-kernel.py" "kernel/boot/vmlinuz-$release" vmlinux.new
  mv vmlinux.new vmlinux
fi

if [ ! -e modules-built ]; then
  command -v gcc >/dev/null && command -v make >/dev/null && [ -d "/usr/src/linux-headers-$release" ] ||
    install "linux-headers-$release" make gcc
  version=${release%%.0-*} # 6.1
  unpack "linux-source-$version" source
  mkdir -p build
  tar -xJf "source/usr/src/linux-source-$version.tar.xz" -C build --strip-components=4 \
    "linux-source-$version/drivers/i2c/busses/i2c-virtio.c"
  tar -xJf "source/usr/src/linux-source-$version.tar.xz" -C build --strip-components=3 \
    "linux-source-$version/drivers/gpio/gpio-virtio.c"
  rm -rf source
  # QEMU 7.2 wires the queue of GPIO interrupts but does not offer the feature to its guest (its list of features for
  # vhost-user-gpio lacks VIRTIO_GPIO_F_IRQ). The driver uses the queue all the same; without it no edge could be watched.
  sed -i 's/virtio_has_feature(vdev, VIRTIO_GPIO_F_IRQ)/true/' build/gpio-virtio.c
  # i2c-virtio of Linux 6.1 no longer waits for the rest of a transfer when one of its messages failed or a signal came, and frees
  # what the device still writes into (virtio_i2c_complete_reqs): the first unplugged sensor would corrupt the guest's memory.
  sed -i -e 's/^\t\tif (!failed) {$/\t\twait_for_completion(\&req->completion);\n&/' \
    -e 's/wait_for_completion_interruptible(&req->completion)/false/' build/i2c-virtio.c
  [ "$(grep -c 'wait_for_completion(&req->completion);' build/i2c-virtio.c)" = 1 ] && grep -q 'if (true)' build/gpio-virtio.c ||
    { echo 'the kernel source has changed: look after the two corrections in prepare.sh' >&2; exit 1; }
  echo 'obj-m += i2c-virtio.o gpio-virtio.o' >build/Kbuild
  say "building the modules i2c-virtio and gpio-virtio for $release"
  make -s -C "/usr/src/linux-headers-$release" M="$cache/build" modules >build.log 2>&1 || { cat build.log >&2; exit 1; }
  mkdir -p "$modules/extra"
  for name in i2c-virtio gpio-virtio; do strip -g -o "$modules/extra/$name.ko" "build/$name.ko"; done
  /sbin/depmod -b kernel "$release"
  touch modules-built
fi

if [ ! -e initrd.gz ] || [ "$here/init" -nt initrd.gz ] || [ "$here/prepare.sh" -nt initrd.gz ]; then
  rm -rf root && mkdir -p root/{bin,modules,proc,sys,dev,host,writable,new}
  cp /bin/busybox root/bin/
  command install -m 755 "$here/init" root/init
  for name in virtio_pci 9pnet_virtio 9p overlay virtio_console i2c-dev i2c-virtio gpio-virtio; do
    /sbin/modprobe -d "$cache/kernel" -S "$release" --show-depends "$name"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
    cp "$file" root/modules/
    basename "$file" >>root/modules/order
  done
  (cd root && find . | cpio --quiet -o -H newc | gzip -1) >initrd.new
  mv initrd.new initrd.gz
fi
say "ready: Linux $release in $cache"
