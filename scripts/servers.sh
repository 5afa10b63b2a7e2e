#!/bin/bash
# Find or fetch the programs this project starts: mosquitto, influxdb (1.x), victoria-metrics, micropython (unix port, 1.23 or newer),
# chromium (with a font that has Chinese, for the tests of the console).
#
#   scripts/servers.sh NAME...  [--optional NAME...]
#
# Each is taken from PATH; else, as root, installed with apt-get; else unpacked from the distribution's signed packages into
# .cache/servers (KANHU_SERVERS_DIR), without root and without touching the machine: programs to put on PATH are then in
# .cache/servers/bin. micropython is taken from Debian 13 where the machine's own is too old (its archive, signed with Debian's
# key). Fails only when a NAME before --optional cannot be had; what is left out is said, with the reason.
# A second run finds everything and takes no time. KANHU_UNPACK=1: unpack, also as root and beside an installed one.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${KANHU_SERVERS_DIR:-$root/.cache/servers}
# Debian keeps servers in /usr/sbin, which an ordinary user's PATH lacks.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { echo "servers: $*" >&2; }

program() { case $1 in influxdb) echo influxd ;; *) echo "$1" ;; esac; }

# What is installed for it: without a Chinese font a browser draws boxes.
# libatomic1: for the Node that drives the browser in the tests; a small Debian lacks it.
packages() { case $1 in chromium) echo chromium fonts-wqy-zenhei libatomic1 ;; *) echo "$1" ;; esac; }

# What the firmware's tests stand on; 1.23 is the first with a module `vfs`.
speaks_micropython() {
    env -u MICROPYPATH "$1" -c 'import sys, asyncio, tls, vfs; vfs.VfsLfs2; sys.exit(sys.implementation[0] != "micropython")' >/dev/null 2>&1
}

# The first program of that name outside our own cache; an influxd that is no 1.x does not count, nor an old MicroPython.
on_path() {
    local found
    if [ "$1" = micropython ] && [ -n "${MICROPYTHON:-}" ]; then
        found=$MICROPYTHON
    else
        found=$(PATH=${PATH//"$cache/bin:"/} command -v "$(program "$1")") || return 1
    fi
    case $1 in
        influxdb) "$found" version 2>/dev/null | grep -qE 'InfluxDB v1\.' || return 1 ;;
        micropython) speaks_micropython "$found" || return 1 ;;
    esac
    echo "$found"
}

unpacked() { [ -f "$cache/$1/complete" ] && [ -x "$cache/bin/$(program "$1")" ]; }

# ---- as root: the distribution's package, without its service

lists_are_fresh=
install_package() {
    local policy=/usr/sbin/policy-rc.d ours= status=0
    if [ -z "$lists_are_fresh" ]; then
        say "refreshing the package lists"
        apt-get -qq update >&2 || say "some package lists could not be refreshed"
        lists_are_fresh=yes
    fi
    apt-cache show "$1" >/dev/null 2>&1 || { reason="this distribution has no package $1"; return 1; }
    say "installing $1 with apt-get (once)"
    # Debian starts a service as it installs it, on the port that we need: forbid it for this one installation.
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && ours=yes
    fi
    # shellcheck disable=SC2046 # several words are several packages
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install --no-install-recommends $(packages "$1") \
        >"$cache/apt.log" 2>&1 || status=$?
    [ -z "$ours" ] || rm -f $policy
    if [ $status -ne 0 ]; then
        tail -n 5 "$cache/apt.log" >&2
        reason="apt-get install $1 failed"
        return 1
    fi
    # ... and keep it from starting at the next boot. A service that was there before us was found on PATH and never comes here.
    deb-systemd-helper disable "$1.service" >/dev/null 2>&1 || :
    update-rc.d "$1" disable >/dev/null 2>&1 || :
}

# ---- not root: an apt of our own that only downloads

workshop= of=
cleanup() { [ -z "$workshop" ] || rm -rf "$workshop"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# Own lists, cache and an empty package state, so that a program comes with everything it stands on, down to the C library, and
# an upgrade of the machine cannot break it. Archives, keys and download settings (proxy, certificates) are the machine's, but for
# the archives when a line of sources.list is given.
open_workshop() {
    cleanup
    workshop=$(mktemp -d)
    mkdir -p "$workshop"/{lists/partial,archives/partial,none}
    : >"$workshop/status"
    {
        apt-config dump | grep '^Acquire::' | grep -vE '^Acquire::(Allow|IndexTargets|Languages|Changelogs)' || :
        cat <<CONF
Dir::Etc::Parts "$workshop/none";
Dir::Etc::Main "$workshop/absent";
Dir::State::Lists "$workshop/lists";
Dir::State::Status "$workshop/status";
Dir::State::extended_states "$workshop/extended";
Dir::Cache "$workshop";
Dir::Cache::Archives "$workshop/archives";
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
CONF
        if [ -n "${1:-}" ]; then
            echo "$1" >"$workshop/sources.list"
            echo "Dir::Etc::SourceList \"$workshop/sources.list\"; Dir::Etc::SourceParts \"$workshop/none\";"
        fi
    } >"$workshop/apt.conf"
    say "reading the package lists (no root needed, the machine's own stay untouched)"
    private_apt update >"$workshop/log" 2>&1 || :
}
private_apt() { APT_CONFIG=$workshop/apt.conf apt-get -qq "$@"; }

# An archive that carries Debian 13, of those this machine already uses (whatever the format of its sources). Every line needs
# Debian's own signature, so a mirror of another distribution, or a dishonest one, does not count.
open_debian13() {
    local key=${DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg} archives archive
    [ -r "$key" ] || { reason="no key of Debian's archive at $key (package debian-archive-keyring)"; return 1; }
    archives=${DEBIAN_MIRROR:-$(apt-get update --print-uris 2>/dev/null | sed -n "s|^'\(.*/\)dists/.*InRelease' .*|\1|p" | sort -u)}
    for archive in $archives; do
        open_workshop "deb [signed-by=$key] $archive trixie main"
        if APT_CONFIG=$workshop/apt.conf apt-cache show micropython >/dev/null 2>&1; then return; fi
    done
    reason="none of this machine's archives carries Debian 13 (set DEBIAN_MIRROR to one that does)"
    return 1
}

unpack() {
    local new
    for tool in apt-get apt-config dpkg-deb; do
        command -v $tool >/dev/null || { reason="no $tool here; install $1 with your system's package manager"; return 1; }
    done
    # What comes of the machine's own archives must not come of Debian 13, whose C library is another.
    if [ "$1" = micropython ]; then
        of=debian13
        open_debian13 || return 1
    elif [ "$of" != machine ]; then
        of=machine
        open_workshop
    fi
    if ! APT_CONFIG=$workshop/apt.conf apt-cache show "$1" >/dev/null 2>&1; then
        reason="this distribution has no package $1, or its archive is out of reach"
        [ ! -s "$workshop/log" ] || tail -n 3 "$workshop/log" >&2
        return 1
    fi
    rm -f "$workshop"/archives/*.deb
    say "downloading $1 and what it stands on (once)"
    # shellcheck disable=SC2046
    if ! private_apt -y --download-only install $(packages "$1") >"$workshop/log" 2>&1; then
        tail -n 5 "$workshop/log" >&2
        reason="the download failed"
        return 1
    fi
    new=$(mktemp -d "$cache/.new.XXXXXX")
    if ! assemble "$1" "$new"; then
        rm -rf "$new"
        return 1
    fi
    rm -rf "${cache:?}/$1"
    mv "$new" "$cache/$1"
    mv "$cache/$1/launcher" "$cache/bin/$(program "$1")"
    if ! starts "$1"; then
        rm -f "$cache/bin/$(program "$1")"
        reason="the unpacked $1 does not start on this machine"
        return 1
    fi
    touch "$cache/$1/complete"
}

assemble() {
    local package new=$2
    for package in "$workshop"/archives/*.deb; do
        # Chromium starts itself again and again, so it takes the machine's own loader and C library.
        [[ $1 = chromium && $(basename "$package") =~ ^(libc6|libc-bin|libgcc-s1|gcc-.*-base)_ ]] && continue
        dpkg-deb -x "$package" "$new" || { reason="cannot unpack $(basename "$package")"; return 1; }
        basename "$package" >>"$new/packages"
    done
    if [ "$1" = chromium ]; then
        write_chromium_launcher "$new"
        return
    fi
    # Only programs and libraries are wanted; the rest is documentation, system files and other people's programs.
    find "$new" -mindepth 1 -maxdepth 1 ! -name usr ! -name lib ! -name lib64 ! -name packages -exec rm -rf {} +
    rm -rf "$new"/usr/{share,include,games,lib/systemd,lib/locale} "$new"/usr/lib/*/{gconv,perl,perl-base,security} "$new"/lib/{systemd,udev}
    find "$new"/usr/bin "$new"/usr/sbin -type f ! -name "$(program "$1")" -delete 2>/dev/null || :
    write_launcher "$1" "$new"
}

write_chromium_launcher() {
    local libraries
    rm -rf "$1"/{etc,var,bin,sbin,root} "$1"/usr/share/{doc,man,locale,icons,lintian,bug}
    [ -x "$1/usr/lib/chromium/chromium" ] || { reason="the packages hold no chromium"; return 1; }
    # A folder of its own: the driver needs this one library, and no other of these.
    mkdir "$1/driver"
    find "$1" -name 'libatomic.so.1*' -exec cp -P {} "$1/driver/" \;
    libraries=$(cd "$1" && find ./lib ./usr/lib -maxdepth 3 \( -name '*.so' -o -name '*.so.*' \) -printf '%h\n' 2>/dev/null | sort -u | sed "s|^\./|\$here/chromium/|" | paste -sd:)
    cat >"$1/fonts.conf" <<'CONF'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
CONF
    cat >"$1/launcher" <<LAUNCHER
#!/bin/sh
here=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
FONTCONFIG_FILE="\$here/chromium/fonts.conf" LD_LIBRARY_PATH="$libraries" exec "\$here/chromium/usr/lib/chromium/chromium" "\$@"
LAUNCHER
    chmod 755 "$1/launcher"
}

# Their words count, not their exit codes: they answer a question about themselves with various ones.
starts() {
    local words
    case $1 in
        mosquitto) words=$("$cache/bin/mosquitto" -h 2>&1 || :) && [[ $words == "mosquitto version"* ]] ;;
        influxdb) words=$("$cache/bin/influxd" version 2>&1 || :) && [[ $words == "InfluxDB v1."* ]] ;;
        victoria-metrics) words=$("$cache/bin/victoria-metrics" -h 2>&1 || :) && [[ $words == *victoria-metrics* ]] ;;
        micropython) speaks_micropython "$cache/bin/micropython" ;;
        chromium) words=$("$cache/bin/chromium" --version 2>&1 || :) && [[ $words == Chromium* ]] ;;
    esac
}

# Start through the C library's own loader that came along; paths hang on the launcher's place, so that the folder may be moved.
write_launcher() {
    local loader file name
    name=$(program "$1")
    loader=$(cd "$2" && find . -path '*/lib*/ld-linux*.so.*' -type f | head -n 1)
    file=$(cd "$2" && find ./usr/sbin ./usr/bin -name "$name" -type f 2>/dev/null | head -n 1)
    [ -n "$loader" ] && [ -n "$file" ] || { reason="the packages hold no loader or no $name"; return 1; }
    local libraries
    libraries=$(cd "$2" && find ./lib ./usr/lib -maxdepth 2 -name '*.so.*' -printf '%h\n' 2>/dev/null | sort -u | sed "s|^\./|\$here/$1/|" | paste -sd:)
    cat >"$2/launcher" <<LAUNCHER
#!/bin/sh
here=\$(dirname "\$(dirname "\$(readlink -f "\$0")")")
exec "\$here/$1/${loader#./}" --library-path "$libraries" "\$here/$1/${file#./}" "\$@"
LAUNCHER
    chmod 755 "$2/launcher"
}

# ---- each in turn

obtain() {
    local place
    reason=
    if [ -z "${KANHU_UNPACK:-}" ] && place=$(on_path "$1"); then
        say "$1: $place"
    elif unpacked "$1"; then
        say "$1: $cache/bin/$(program "$1")"
    elif [ -z "${KANHU_UNPACK:-}" ] && [ "$1" != micropython ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install_package "$1" && on_path "$1" >/dev/null && say "$1: installed"
    else
        unpack "$1" && say "$1: unpacked into $cache"
    fi
}

mkdir -p "$cache/bin"
# Two runs at once: the second waits, then finds the work done.
exec 9>"$cache/.lock"
if command -v flock >/dev/null; then flock 9; fi
optional= failed=
for name in "$@"; do
    case $name in
        --optional) optional=yes ;;
        mosquitto | influxdb | victoria-metrics | micropython | chromium)
            if ! obtain "$name"; then
                say "$name is left out: ${reason:-unknown reason}"
                [ -n "$optional" ] || failed="$failed $name"
            fi
            ;;
        *) say "unknown server $name"; exit 2 ;;
    esac
done
if [ -n "$failed" ]; then
    say "cannot go on without:$failed. Install with: sudo apt-get install$failed"
    exit 1
fi
