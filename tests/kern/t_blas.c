// TEST np=1
/* The BLAS this program runs on gives right products, and says what it is. */
#include "tutti/kern.h"
#include "../tap.h"

int main(int argc, char **argv)
{
    tt_blas_choose(argv);
    ok(getenv("OMP_NUM_THREADS") && getenv("OPENBLAS_NUM_THREADS"), "thread counts are set");
    ok(tt_blas_verify() == TT_OK, "%s: products are right %s", tt_blas_describe(), tt_fail_text());
    ok(strstr(tt_blas_describe(), "OpenBLAS") && strstr(tt_blas_describe(), "kernels"), "%s", tt_blas_describe());
    ok(!strcmp(tt_kern_get()->name, "fast"), "fast is the default table");
    setenv("TUTTI_KERN", "slow", 1);
    ok(!tt_kern_get() && tt_fail_code() == TT_EJOB, "%s", tt_fail_text());
    return tap_done();
}
