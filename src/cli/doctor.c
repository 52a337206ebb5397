/* tutti doctor: what this machine has, what is wrong with it and how to mend that. One function a line. */
#include "tutti/cli.h"
#include "tutti/kern.h"

#include <cblas.h>
#include <hdf5.h>
#include <jansson.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>

typedef enum level { OK, WARN, BAD } level;

typedef struct finding {
    char text[256];
    char mend[200]; /* how to mend it; shown unless level is OK */
} finding;

typedef struct check {
    const char *name;
    level (*look)(finding *f);
} check;

#define SAY(...) snprintf(f->text, sizeof f->text, __VA_ARGS__)
#define MEND(...) snprintf(f->mend, sizeof f->mend, __VA_ARGS__)
#define GIB (1024.0 * 1024 * 1024)

static level look_system(finding *f)
{
    struct utsname u;
    uname(&u);
    SAY("%.60s, %.20s %.40s, %.20s", u.nodename, u.sysname, u.release, u.machine);
    return OK;
}

/* The text after "key :" of the first such line of a file in /proc, or "". */
static const char *proc_value(const char *path, const char *key, char *buf, size_t n)
{
    char line[512];
    *buf = 0;
    FILE *file = fopen(path, "r");
    if (!file) return buf;
    while (!*buf && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) || !colon) continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(buf, n, "%.*s", (int)strcspn(colon, "\n"), colon);
    }
    fclose(file);
    return buf;
}

/* A number alone in a file, as sysfs and cgroups give it; fallback if there is none ("max"). */
static double file_number(const char *path, double fallback)
{
    double x;
    FILE *file = fopen(path, "r");
    if (!file) return fallback;
    if (fscanf(file, "%lf", &x) != 1) x = fallback;
    fclose(file);
    return x;
}

static level look_cpu(finding *f)
{
    char model[100];
    proc_value("/proc/cpuinfo", "model name", model, sizeof model);
#ifdef __x86_64__
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    SAY("%s:%s%s%s", *model ? model : "x86_64", avx2 ? " AVX2" : "",
        __builtin_cpu_supports("avx512f") ? " AVX-512" : "", __builtin_cpu_supports("avx512bf16") ? " BF16" : "");
    MEND("without AVX2 and FMA training is several times slower; use a CPU of 2013 or later");
    return avx2 ? OK : WARN;
#else
    SAY("%s", *model ? model : "not x86_64");
    return OK;
#endif
}

static level look_blas(finding *f)
{
    static const char *const threading[] = {"sequential", "pthreads", "OpenMP"};
    int kind = openblas_get_parallel();
    SAY("%s, %s", tt_blas_describe(), kind >= 0 && kind < 3 ? threading[kind] : "?");
    return OK;
}

static level look_products(finding *f)
{
    bool right = tt_blas_verify() == TT_OK;
    SAY("%s", right ? "matrix products agree with the plain loops" : tt_fail_text());
    MEND("set TUTTI_BLAS=Haswell, or load another OpenBLAS");
    if (!right) tt_fail_clear();
    return right ? OK : BAD;
}

static level look_mpi(finding *f)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int n;
    MPI_Get_library_version(text, &n);
    text[strcspn(text, ",\n")] = 0;
    SAY("%s", text);
    MEND("only Open MPI 4 has been tested; load its module if anything misbehaves");
    return strncmp(text, "Open MPI", 8) ? WARN : OK;
}

static level look_fcoll(finding *f)
{
    const char *set = getenv("OMPI_MCA_fcoll");
    SAY("fcoll: %s", set ? set : "dynamic_gen2 (tutti sets it)");
    MEND("fcoll=vulcan of Open MPI 4.1 corrupts files silently; unset OMPI_MCA_fcoll");
    return set && strstr(set, "vulcan") ? BAD : OK;
}

/* Whether ranks of one node may copy straight from each other's memory. */
static level look_cma(finding *f)
{
    static char from_text[8] = "tutti", to_text[8];
    struct iovec to = {to_text, sizeof to_text}, from = {from_text, sizeof from_text};
    bool call = process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof to_text;
    int yama = (int)file_number("/proc/sys/kernel/yama/ptrace_scope", 0);
    SAY("%s", !call      ? "refused by the container: ranks of a node copy through shared memory, somewhat slower"
              : yama > 1 ? "refused (Yama ptrace_scope): ranks of a node copy through shared memory, somewhat slower"
                         : "allowed between ranks of a node");
    return OK;
}

static level look_hdf5(finding *f)
{
    unsigned a, b, c;
    hbool_t safe = false;
    H5get_libversion(&a, &b, &c);
    H5is_library_threadsafe(&safe);
    bool same = a == H5_VERS_MAJOR && b == H5_VERS_MINOR && c == H5_VERS_RELEASE;
#ifdef H5_HAVE_PARALLEL
    const bool parallel = true;
#else
    const bool parallel = false;
#endif
    SAY("%u.%u.%u, %s, %sthread-safe", a, b, c, parallel ? "parallel" : "serial", safe ? "" : "not ");
    if (!same)
        MEND("the program was built with %d.%d.%d; load that module, or build again", H5_VERS_MAJOR, H5_VERS_MINOR,
             H5_VERS_RELEASE);
    else
        MEND("build with parallel HDF5 (libhdf5-openmpi-dev, hdf5+mpi)");
    return same && parallel ? OK : BAD;
}

static level look_libraries(finding *f)
{
    unsigned x = XXH_versionNumber();
    SAY("Jansson %s, libyaml %s, xxHash %u.%u.%u, zlib %s, SentencePiece", jansson_version_str(),
        yaml_get_version_string(), x / 10000, x / 100 % 100, x % 100, zlibVersion());
    return OK;
}

static int cores_usable(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Cores' worth of time that the control group allows; 0: no limit. */
static double cores_quota(void)
{
    double quota = 0, period = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (!file) return 0;
    bool limited = fscanf(file, "%lf %lf", &quota, &period) == 2 && period > 0;
    fclose(file);
    return limited ? quota / period : 0;
}

static level look_cores(finding *f)
{
    int usable = cores_usable();
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    double quota = cores_quota();
    const char *threads = getenv("OMP_NUM_THREADS");
    SAY("%d of %ld usable", usable, online);
    if (quota > 0 && quota < usable) {
        SAY("%d of %ld usable, but time for only %.1f (control group)", usable, online, quota);
        MEND("start at most %.0f rank%s here", quota < 1 ? 1 : quota, quota < 2 ? "" : "s");
        return WARN;
    }
    MEND("OMP_NUM_THREADS=%s is more than the %d cores that may be used; set it to 1 and start one rank a core",
         threads ? threads : "", usable);
    return threads && atoi(threads) > usable ? WARN : OK;
}

static level look_memory(finding *f)
{
    char total[64], available[64];
    double all = atof(proc_value("/proc/meminfo", "MemTotal", total, sizeof total)) * 1024;
    double avail = atof(proc_value("/proc/meminfo", "MemAvailable", available, sizeof available)) * 1024;
    double limit = file_number("/sys/fs/cgroup/memory.max", all);
    if (limit < avail) avail = limit;
    SAY("%.1f GiB, %.1f GiB available", all / GIB, avail / GIB);
    MEND("little is left: a rank needs about 16 bytes a parameter and 1 GiB to work in");
    return avail < 2 * GIB ? WARN : OK;
}

static const char *limit_text(rlim_t x, char *buf, size_t n)
{
    if (x == RLIM_INFINITY)
        snprintf(buf, n, "unlimited");
    else
        snprintf(buf, n, "%llu", (unsigned long long)x);
    return buf;
}

static level look_files(finding *f)
{
    struct rlimit r;
    char soft[32], hard[32];
    getrlimit(RLIMIT_NOFILE, &r);
    SAY("%s open files (at most %s)", limit_text(r.rlim_cur, soft, sizeof soft),
        limit_text(r.rlim_max, hard, sizeof hard));
    MEND("many ranks on a node need more: ulimit -n 4096");
    return r.rlim_cur < 1024 ? WARN : OK;
}

static level look_memlock(finding *f)
{
    struct rlimit r;
    char soft[32];
    bool fabric = access("/sys/class/infiniband", F_OK) == 0;
    getrlimit(RLIMIT_MEMLOCK, &r);
    SAY("locked memory %s bytes%s", limit_text(r.rlim_cur, soft, sizeof soft),
        fabric ? ", InfiniBand seen" : "; no InfiniBand, so none is needed");
    MEND("InfiniBand needs it unlimited: ulimit -l unlimited, or ask the administrators (PropagateResourceLimits)");
    return fabric && r.rlim_cur != RLIM_INFINITY ? WARN : OK;
}

static level look_shm(finding *f)
{
    struct statvfs s;
    if (statvfs("/dev/shm", &s) != 0) {
        SAY("/dev/shm is missing");
        MEND("ranks of a node talk through it: mount -t tmpfs tmpfs /dev/shm");
        return BAD;
    }
    double size = (double)s.f_blocks * (double)s.f_frsize, left = (double)s.f_bavail * (double)s.f_frsize;
    SAY("/dev/shm %.2f GiB, %.2f GiB free", size / GIB, left / GIB);
    MEND(
        "ranks of a node talk through it, about 8 MiB each: mount -o remount,size=1g /dev/shm (docker: --shm-size=1g)");
    return left < 64 * 1024 * 1024 ? BAD : left < GIB / 4 ? WARN : OK;
}

static const char *file_system(long type)
{
    static const struct {
        long type;
        const char *name;
    } known[] = {{0x6969, "NFS"},        {0x0bd00bd0, "Lustre"},  {0x47504653, "GPFS"}, {0x19830326, "BeeGFS"},
                 {0x01021994, "tmpfs"},  {0xef53, "ext4"},        {0x58465342, "XFS"},  {0x9123683e, "btrfs"},
                 {0x00c36400, "CephFS"}, {0x794c7630, "overlay"}, {0x2fc12fc1, "ZFS"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type) return known[i].name;
    return "another file system";
}

static level look_disk(finding *f)
{
    struct statfs s;
    if (statfs(".", &s) != 0) return SAY("the current folder cannot be examined"), WARN;
    double left = (double)s.f_bavail * (double)s.f_bsize;
    bool writable = access(".", W_OK) == 0;
    SAY("%s, %.1f GiB free here%s", file_system((long)s.f_type), left / GIB, writable ? "" : ", but not for you");
    MEND("a checkpoint takes 12 bytes a parameter, and several are kept: set run=FOLDER to a larger disk");
    return left < 2 * GIB || !writable ? WARN : OK;
}

static bool in_path(const char *program)
{
    char dirs[8192], full[8300], *save = NULL;
    snprintf(dirs, sizeof dirs, "%s", getenv("PATH") ? getenv("PATH") : "");
    for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
        snprintf(full, sizeof full, "%s/%s", d, program);
        if (access(full, X_OK) == 0) return true;
    }
    return false;
}

static level look_slurm(finding *f)
{
    const char *job = getenv("SLURM_JOB_ID"), *tasks = getenv("SLURM_NTASKS"), *nodes = getenv("SLURM_JOB_NODELIST");
    const char *count = getenv("SLURM_JOB_NUM_NODES"), *fence = getenv("SLURM_PMIX_FENCE");
    if (!job) {
        SAY("%s", in_path("sinfo") ? "there, and this is outside a job: sbatch slurm/train.sbatch" : "not seen");
        return OK;
    }
    SAY("job %s, %s task(s) on %s", job, tasks ? tasks : "?", nodes ? nodes : "?");
    const char *step = getenv("SLURM_STEP_NUM_TASKS");
    if (step && atoi(step) > 1 && !getenv("PMIX_RANK")) {
        MEND("srun gives no PMIx: each task would believe to be alone; use srun --mpi=pmix, or mpirun");
        return BAD;
    }
    MEND("several nodes under srun may die at start (a race in Slurm's PMIx fence): export SLURM_PMIX_FENCE=ring");
    return count && atoi(count) > 1 && (!fence || strcmp(fence, "ring")) ? WARN : OK;
}

static const check checks[] = {
    {"system", look_system},     {"CPU", look_cpu},       {"BLAS", look_blas},
    {"products", look_products}, {"MPI", look_mpi},       {"MPI files", look_fcoll},
    {"MPI copy", look_cma},      {"HDF5", look_hdf5},     {"libraries", look_libraries},
    {"cores", look_cores},       {"memory", look_memory}, {"limits", look_files},
    {"memlock", look_memlock},   {"shared", look_shm},    {"disk", look_disk},
    {"Slurm", look_slurm},
};

tt_err tt_verb_doctor(const tt_mesh *m, const tt_args *args)
{
    static const char *const word[] = {"ok", "WARN", "BAD"};
    int count[3] = {0};
    if (args->n + args->nset)
        return tt_fail(TT_EJOB, "doctor takes no '%s'; say tutti doctor", args->n ? args->pos[0] : args->set[0]);
    printf("tutti " TT_VERSION "\n\n");
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        finding f = {{0}, {0}};
        level l = checks[i].look(&f);
        count[l]++;
        printf("  %-4s  %-10s %s\n", word[l], checks[i].name, f.text);
        if (l != OK && *f.mend) printf("  %-4s  %-10s -> %s\n", "", "", f.mend);
    }
    printf("\n%d ok, %d to look at, %d bad\n", count[OK], count[WARN], count[BAD]);
    return count[BAD] ? tt_fail(TT_ERUN, "this machine cannot run tutti as it is; mend what is marked BAD") : TT_OK;
}
