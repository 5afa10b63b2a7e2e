/* What the worst disk would hold after a power cut: a copy of every file as it was at its last fsync, and nothing else.
 *
 * Loaded with LD_PRELOAD. After each fsync or fdatasync that succeeded, the file is copied to $SHADOW/<path without its folder>;
 * unlink and rename are taken as durable at once, or SQLite's journal of the switch to WAL would come back and take the log
 * with it. Directory syncs and mmap writes are not seen; a page is never half written.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;

/* Only files directly in $SHADOW_OF are followed; every file by its last name when that is not set. 0: `path` is none. */
static int shadow_of(const char *path, char *shadow)
{
    const char *folder = getenv("SHADOW"), *source = getenv("SHADOW_OF"), *slash = strrchr(path, '/');
    if (!folder || !slash || !slash[1])
        return 0;
    size_t length = (size_t)(slash - path);
    if (source && (strlen(source) != length || strncmp(path, source, length) != 0))
        return 0;
    return snprintf(shadow, PATH_MAX, "%s/%s", folder, slash + 1) < PATH_MAX;
}

static void copy(int fd)
{
    char link[64], path[PATH_MAX], shadow[PATH_MAX], part[PATH_MAX + 8];
    struct stat st;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    path[length] = 0;
    if (!shadow_of(path, shadow))
        return;
    snprintf(part, sizeof part, "%s.part", shadow);
    static int (*real_rename)(const char *, const char *);
    if (!real_rename)
        real_rename = dlsym(RTLD_NEXT, "rename");
    pthread_mutex_lock(&copying);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out >= 0) {
        /* pread on the descriptor we were given: opening and closing the path again would drop SQLite's POSIX locks. */
        static char buffer[1 << 16];
        off_t at = 0;
        ssize_t n;
        int whole = 1;
        while ((n = pread(fd, buffer, sizeof buffer, at)) > 0) {
            whole = whole && write(out, buffer, (size_t)n) == n;
            at += n;
        }
        close(out);
        if (whole && n == 0)
            real_rename(part, shadow);
        else
            fprintf(stderr, "fsync_shadow: cannot copy %s: %s\n", path, strerror(errno));
    }
    pthread_mutex_unlock(&copying);
}

static int synced(const char *name, int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    int result = real(fd);
    if (result == 0) {
        copy(fd);
        errno = 0;
    }
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }

int fdatasync(int fd) { return synced("fdatasync", fd); }

int unlink(const char *path)
{
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    char shadow[PATH_MAX];
    int result = real(path);
    if (result == 0 && shadow_of(path, shadow)) {
        real(shadow);
        errno = 0;
    }
    return result;
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    char old[PATH_MAX], new[PATH_MAX];
    int result = real(from, to);
    if (result == 0 && shadow_of(from, old) && shadow_of(to, new)) {
        real(old, new);
        errno = 0;
    }
    return result;
}
