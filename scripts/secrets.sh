#!/bin/bash
# Make the secrets of docker-compose.yml: random, each in a file of its own that only its service can read.
#
#   sudo scripts/secrets.sh                     makes what is missing in secrets/; what is there stays
#   sudo scripts/secrets.sh device SITE/DEVICE  gives a device a new password and prints it, once
#
# As root the files belong to user 1883, as which the containers run (a file that compose hands to a container keeps its owner).
# Needs python3 and openssl. KANHU_SECRETS: another folder. KANHU_BROKER_NAMES: names and addresses by which devices reach the
# broker, for its certificate; default: this machine's name and localhost.
set -euo pipefail

folder=${KANHU_SECRETS:-$(cd "$(dirname "$0")/.." && pwd)/secrets}
owner=1883
umask 077
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

say() { echo "secrets: $*" >&2; }
die() { say "$*"; exit 1; }
for tool in python3 openssl; do command -v $tool >/dev/null || die "$tool not found: sudo apt-get install $tool"; done

random() { python3 -c 'import secrets; print(secrets.token_urlsafe(24))'; }

# keep NAME: standard input becomes the secret, unless there is one. Written beside and moved: never half a secret.
keep() {
    if [ -s "$folder/$1" ]; then
        cat >/dev/null
        return
    fi
    cat >"$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
    say "made $1"
}

# One line of mosquitto's password file; the password comes on standard input and never stands in an argument list.
password_line() {
    python3 -c '
import base64, hashlib, secrets, sys
password, salt = sys.stdin.readline().rstrip("\n"), secrets.token_bytes(12)
digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
print(f"{sys.argv[1]}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}")' "$1"
}

# An authority for this broker alone, and the broker's certificate. Both begin in 2020: a device's clock may be behind.
certificates() {
    [ ! -s "$folder/broker_certificate" ] || return 0
    local names alternatives=DNS:localhost,DNS:mosquitto,IP:127.0.0.1 name
    names=${KANHU_BROKER_NAMES:-$(hostname)}
    for name in $names; do
        case $name in
            localhost | 127.0.0.1) ;;
            *[!0-9.]*) alternatives=$alternatives,DNS:$name ;;
            *) alternatives=$alternatives,IP:$name ;;
        esac
    done
    work=$(mktemp -d)
    {
        openssl ecparam -name prime256v1 -genkey -noout -out "$work/ca.key"
        openssl req -new -key "$work/ca.key" -subj "/CN=Kanhu broker authority" -out "$work/ca.csr"
        openssl ecparam -name prime256v1 -genkey -noout -out "$work/broker.key"
        openssl req -new -key "$work/broker.key" -subj "/CN=${names%% *}" -out "$work/broker.csr"
        : >"$work/index"
        cat >"$work/conf" <<CONF
[ca]
default_ca = this
[this]
new_certs_dir = $work
database = $work/index
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[broker]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = $alternatives
authorityKeyIdentifier = keyid
CONF
        local sign=(openssl ca -batch -config "$work/conf" -startdate 20200101000000Z -enddate 20450101000000Z)
        "${sign[@]}" -selfsign -keyfile "$work/ca.key" -extensions authority -in "$work/ca.csr" -out "$work/ca.pem" -notext
        "${sign[@]}" -cert "$work/ca.pem" -keyfile "$work/ca.key" -extensions broker -in "$work/broker.csr" -out "$work/broker.pem" -notext
    } >"$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; die "openssl could not make the certificates"; }
    rm -f "$folder/broker_ca" "$folder/broker_key"
    keep broker_ca <"$work/ca.pem"
    keep broker_key <"$work/broker.key"
    keep broker_certificate <"$work/broker.pem"
    say "the certificate names $alternatives; give devices secrets/broker_ca to check it. The authority's key was not kept:"
    say "for other names remove broker_certificate, run this again and give devices the new broker_ca"
}

belong() {
    if [ "$(id -u)" = 0 ]; then
        find "$folder" -type f -exec chown "$owner:$owner" {} +
    else
        say "not root: run it with sudo, or the containers (user $owner) cannot read these files"
    fi
    find "$folder" -type f -exec chmod 600 {} +
}

make_all() {
    mkdir -p "$folder"
    chmod 700 "$folder"
    random | keep gateway_broker_password
    random | keep grafana_admin_password
    password_line gateway <"$folder/gateway_broker_password" | keep broker_passwords
    certificates
    belong
    say "all in $folder. Grafana: user admin, password: sudo cat $folder/grafana_admin_password"
}

add_device() {
    [[ $1 =~ ^[a-z0-9][a-z0-9_-]{0,47}/[a-z0-9][a-z0-9_-]{0,47}$ ]] || die "usage: scripts/secrets.sh device SITE/DEVICE"
    [ -s "$folder/broker_passwords" ] || make_all
    local password lines
    password=$(random)
    lines=$(grep -v "^$1:" "$folder/broker_passwords" || :)
    # Written in place: the container holds on to this very file.
    printf '%s\n%s\n' "$lines" "$(password_line "$1" <<<"$password")" >"$folder/broker_passwords"
    belong
    say "now: sudo docker compose kill -s HUP mosquitto   (mosquitto reads its passwords again)"
    echo "$1 $password"
}

case ${1:-} in
    '') make_all ;;
    device) add_device "${2:-}" ;;
    *) die "usage: scripts/secrets.sh [device SITE/DEVICE]" ;;
esac
