// What this package calls of MPI, without its headers: Open MPI's handles are addresses of
// its variables, those of MPICH and what is binary-compatible with it (Intel MPI, MVAPICH,
// Cray MPICH) are numbers. MPI 3.1, https://www.mpi-forum.org.
#ifndef T2SDA_MPI_H
#define T2SDA_MPI_H

#include <stddef.h>

// t2s_load opens a library and looks its functions up. It returns NULL, or what is wrong,
// for the caller to free.
char *t2s_load(const char *library);

// Errors of the calls below, besides MPI's own, which are positive.
#define T2S_THREADS -1 // the library was built without support for threads
#define T2S_GAVE_UP -2 // others were waited for as long as *patience says

// Ranks that speak with each other, as the loaded library knows them.
typedef struct {
	void *ompi;
	int mpich;
} t2s_comm;

int t2s_init(void);
t2s_comm t2s_world(void); // all of the job
int t2s_rank(t2s_comm c, int *rank);
int t2s_size(t2s_comm c, int *size);

// t2s_split makes one of those that give the same color, in the order of keys.
int t2s_split(t2s_comm c, int color, int key, t2s_comm *out);

// t2s_meet waits until all ranks are here, for up to *patience nanoseconds from when that is not 0. It
// sleeps between looks, so that ranks that are early leave their processor to others.
int t2s_meet(t2s_comm c, const volatile long long *patience);
int t2s_gather(t2s_comm c, void *dst, const void *src, int bytes);
int t2s_exchange(t2s_comm c, void *dst, const void *src, int bytes);
int t2s_finalize(void);
int t2s_abort(int code);

// t2s_text describes an error of MPI in text, which has room for 512 characters.
void t2s_text(int error, char *text);

#endif
