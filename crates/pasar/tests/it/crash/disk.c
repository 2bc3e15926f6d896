/* A disk that keeps only what was synced: preloaded into the program, it copies what was written to a
 * database to a second folder when, and only when, the program asks for a sync. After a kill the second
 * folder is what a power cut would have left. Files end in ".db", ".db-wal" or ".db-journal"; the shared
 * memory of the WAL is rebuilt by SQLite, and other files are the test's own affair. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct range { off_t at; size_t length; };
struct file { dev_t device; ino_t inode; char kept[PATH_MAX]; struct range *dirty; size_t count, room; };

static struct file files[256];
static size_t known;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off64_t), (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
}

static int ends_in(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* Where a file of a database is kept; 0 for others. */
static int kept_path(const char *path, char *kept) {
    const char *folder = getenv("KEPT_BY_TEST_DISK"), *name = strrchr(path, '/');
    if (!folder || !name) return 0;
    if (!ends_in(name, ".db") && !ends_in(name, ".db-wal") && !ends_in(name, ".db-journal")) return 0;
    return snprintf(kept, PATH_MAX, "%s%s", folder, name) < PATH_MAX;
}

/* Under the lock. */
static struct file *find(int fd) {
    struct stat status;
    char link[64], path[PATH_MAX], kept[PATH_MAX];
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) return 0;
    for (size_t i = 0; i < known; i++)
        if (files[i].device == status.st_dev && files[i].inode == status.st_ino && files[i].kept[0]) return &files[i];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!kept_path(path, kept)) return 0;
    if (known == sizeof files / sizeof *files) abort();
    struct file *file = &files[known++];
    file->device = status.st_dev;
    file->inode = status.st_ino;
    strcpy(file->kept, kept);
    return file;
}

static void note(int fd, off_t at, size_t length) {
    pthread_mutex_lock(&lock);
    struct file *file = find(fd);
    if (file) {
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 64;
            file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
            if (!file->dirty) abort();
        }
        file->dirty[file->count++] = (struct range){at, length};
    }
    pthread_mutex_unlock(&lock);
}

static void keep(int fd) {
    pthread_mutex_lock(&lock);
    struct file *file = find(fd);
    if (file) {
        struct stat status;
        int to = open(file->kept, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (to < 0 || fstat(fd, &status)) abort();
        for (size_t i = 0; i < file->count; i++) {
            char part[65536];
            off_t at = file->dirty[i].at;
            size_t left = file->dirty[i].length;
            while (left) {
                ssize_t got = pread(fd, part, left < sizeof part ? left : sizeof part, at);
                if (got <= 0) break;
                if (real_pwrite(to, part, (size_t)got, at) != got) abort();
                at += got;
                left -= (size_t)got;
            }
        }
        file->count = 0;
        if (real_ftruncate(to, status.st_size)) abort();
        close(to);
    }
    pthread_mutex_unlock(&lock);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    ssize_t wrote = real_pwrite(fd, bytes, length, at);
    if (wrote > 0) note(fd, at, (size_t)wrote);
    return wrote;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

int fsync(int fd) { int result = real_fsync(fd); if (!result) keep(fd); return result; }
int fdatasync(int fd) { int result = real_fdatasync(fd); if (!result) keep(fd); return result; }

/* Under the lock as a whole: another thread's new file may get the inode at once. */
int unlink(const char *path) {
    char kept[PATH_MAX];
    if (!kept_path(path, kept)) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int result = real_unlink(path);
    if (!result) {
        for (size_t i = 0; i < known; i++)
            if (strcmp(files[i].kept, kept) == 0) { files[i].kept[0] = 0; files[i].count = 0; }
        real_unlink(kept);
    }
    pthread_mutex_unlock(&lock);
    return result;
}
