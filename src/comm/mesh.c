/* Start and end of MPI, and the environment it needs. */
#include "coll.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int place[2] = {0, 1}; /* rank and size for the last words of a process; set once by tt_mesh_init */

/* Ranks that will share this node as far as the launcher tells before MPI starts; 1 if unknown. */
static long node_ranks_hint(void)
{
    static const char *const vars[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE"};
    for (size_t i = 0; i < sizeof vars / sizeof *vars; i++) {
        const char *v = getenv(vars[i]);
        if (v && atol(v) > 0) return atol(v); /* "4(x2),3": the first node's count will do */
    }
    return 1;
}

/* True if another process may read our memory with process_vm_readv, as Open MPI's shared-memory transport will. A
 * child reads from its parent: containers refuse the call by seccomp, hardened kernels by Yama. */
static bool single_copy_allowed(void)
{
    static char word[16] = "tutti";
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); /* as Open MPI does */
    pid_t parent = getpid(), child = fork();
    if (child < 0) return false;
    if (child == 0) {
        char got[16] = "";
        struct iovec to = {got, sizeof got}, from = {word, sizeof word};
        _exit(process_vm_readv(parent, &to, 1, &from, 1, 0) == (ssize_t)sizeof word ? 0 : 1);
    }
    int status = 1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void set_environment(void)
{
    setenv("OMPI_MCA_fcoll", "dynamic_gen2", 0);
    if (node_ranks_hint() > sysconf(_SC_NPROCESSORS_ONLN)) setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
    const char *cma = "OMPI_MCA_btl_vader_single_copy_mechanism";
    if (!getenv(cma) && !single_copy_allowed()) setenv(cma, "none", 0);
}

/* srun without a PMI plugin starts N programs that each believe to be alone and would write the same files. */
static tt_err check_not_split(int size)
{
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS"), *task = getenv("SLURM_PROCID");
    if (size > 1 || !tasks || atoi(tasks) <= 1 || getenv("OMPI_COMM_WORLD_SIZE")) return TT_OK;
    tt_log_rank(task ? atoi(task) : 0);
    return tt_fail(
        TT_ERUN, "srun started %s tasks but MPI sees only one; start them with srun --mpi=pmix, or with mpirun", tasks);
}

void tt_mesh_abort(void)
{
    fprintf(stderr, "tutti: rank %d of %d ends the job\n", place[0], place[1]);
    fflush(NULL);
    signal(SIGALRM, SIG_DFL);
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    alarm(20); /* the launcher ends the job when this process dies, should MPI_Abort hang */
    int up = 0, down = 0;
    MPI_Initialized(&up);
    MPI_Finalized(&down);
    if (up && !down) MPI_Abort(MPI_COMM_WORLD, 1);
    _exit(1);
}

static void find_place(tt_mesh *m)
{
    MPI_Comm_dup(MPI_COMM_WORLD, &m->world);
    MPI_Comm_rank(m->world, &m->rank);
    MPI_Comm_size(m->world, &m->size);
    MPI_Comm node;
    MPI_Comm_split_type(m->world, MPI_COMM_TYPE_SHARED, m->rank, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &m->node_rank);
    MPI_Comm_size(node, &m->node_size);
    MPI_Comm_free(&node);
}

static void go_alone(tt_mesh *m)
{
    m->tp = 1;
    m->tp_rank = 0;
    m->dp = m->size;
    m->dp_rank = m->rank;
    m->tp_comm = MPI_COMM_SELF;
    m->tp_work = NULL;
}

static void join_again(tt_mesh *m)
{
    if (m->tp > 1) MPI_Comm_free(&m->tp_comm);
    tt_tp_free(m->tp_work);
    go_alone(m);
}

tt_err tt_mesh_split(tt_mesh *m, int tp)
{
    join_again(m);
    if (tp < 1 || m->size % tp)
        return tt_fail(TT_EJOB, "mesh.tp %d does not divide the %d ranks; start a multiple of it", tp, m->size);
    if (tp == 1) return TT_OK;
    m->tp = tp;
    m->tp_rank = m->rank % tp;
    m->dp = m->size / tp;
    m->dp_rank = m->rank / tp;
    MPI_Comm_split(m->world, m->dp_rank, m->tp_rank, &m->tp_comm);
    m->tp_work = tt_tp_new(tp);
    return TT_OK;
}

tt_err tt_mesh_init(tt_mesh *m, int *argc, char ***argv)
{
    set_environment();
    int provided;
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    *m = (tt_mesh){.chunk = (size_t)1 << 30};
    find_place(m);
    go_alone(m);
    place[0] = m->rank;
    place[1] = m->size;
    tt_log_rank(m->rank);
    tt_bug_hook(tt_mesh_abort);
    return check_not_split(m->size);
}

void tt_mesh_fini(tt_mesh *m)
{
    tt_watch_stop();
    join_again(m);
    MPI_Comm_free(&m->world);
    MPI_Finalize();
}
