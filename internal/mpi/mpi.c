#define _GNU_SOURCE
#include "mpi.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define THREAD_FUNNELED 1

// The functions of a library whose handles are of type H.
#define FUNCTIONS(H)                                                    \
	struct {                                                        \
		int (*Init_thread)(int *, char ***, int, int *);        \
		int (*Comm_set_errhandler)(H, H);                       \
		int (*Comm_rank)(H, int *);                             \
		int (*Comm_size)(H, int *);                             \
		int (*Comm_split)(H, int, int, H *);                    \
		int (*Ibarrier)(H, H *);                                \
		int (*Test)(H *, int *, void *);                        \
		int (*Allgather)(const void *, int, H, void *, int, H, H); \
		int (*Alltoall)(const void *, int, H, void *, int, H, H);  \
		int (*Finalize)(void);                                  \
		int (*Abort)(H, int);                                   \
		int (*Error_string)(int, char *, int *);                \
		H world; H byte; H errors_return;                         \
		void *ignore;                                           \
	}

static FUNCTIONS(void *) ompi;
static FUNCTIONS(int) mpich;
static int is_ompi;

// CALL calls a function of the loaded library that takes no handles.
#define CALL(name, ...) (is_ompi ? ompi.name(__VA_ARGS__) : mpich.name(__VA_ARGS__))

#define LOOK_UP(L, name)                                              \
	if (!(*(void **)&L.name = dlsym(lib, "MPI_" #name))) {        \
		return fault(library, "it has no function MPI_" #name); \
	}

#define LOOK_UP_ALL(L)                                                              \
	LOOK_UP(L, Init_thread) LOOK_UP(L, Comm_set_errhandler) LOOK_UP(L, Comm_rank) \
	LOOK_UP(L, Comm_size) LOOK_UP(L, Comm_split) LOOK_UP(L, Ibarrier)           \
	LOOK_UP(L, Test) LOOK_UP(L, Allgather) LOOK_UP(L, Alltoall)                 \
	LOOK_UP(L, Finalize) LOOK_UP(L, Abort) LOOK_UP(L, Error_string)

static char *fault(const char *library, const char *what) {
	char text[1024];
	snprintf(text, sizeof text, "%s: %s", library, what);
	return strdup(text);
}

char *t2s_load(const char *library) {
	// Global, because Open MPI's plugins look for its symbols there.
	void *lib = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
	if (!lib) {
		return strdup(dlerror());
	}
	void *world = dlsym(lib, "ompi_mpi_comm_world");
	is_ompi = world != NULL;
	if (is_ompi) {
		LOOK_UP_ALL(ompi)
		ompi.world = world;
		ompi.byte = dlsym(lib, "ompi_mpi_byte");
		ompi.errors_return = dlsym(lib, "ompi_mpi_errors_return");
		ompi.ignore = NULL;
		if (!ompi.byte || !ompi.errors_return) {
			return fault(library, "it has no handle of bytes or errors");
		}
		return NULL;
	}
	LOOK_UP_ALL(mpich)
	mpich.world = 0x44000000;
	mpich.byte = 0x4c00010d;
	mpich.errors_return = 0x54000001;
	mpich.ignore = (void *)1;
	return NULL;
}

int t2s_init(void) {
	int provided = 0;
	int rc = CALL(Init_thread, NULL, NULL, THREAD_FUNNELED, &provided);
	if (rc) {
		return rc;
	}
	rc = is_ompi ? ompi.Comm_set_errhandler(ompi.world, ompi.errors_return)
	             : mpich.Comm_set_errhandler(mpich.world, mpich.errors_return);
	if (rc) {
		return rc;
	}
	return provided < THREAD_FUNNELED ? T2S_THREADS : 0;
}

t2s_comm t2s_world(void) { return (t2s_comm){ompi.world, mpich.world}; }

int t2s_rank(t2s_comm c, int *rank) { return is_ompi ? ompi.Comm_rank(c.ompi, rank) : mpich.Comm_rank(c.mpich, rank); }

int t2s_size(t2s_comm c, int *size) { return is_ompi ? ompi.Comm_size(c.ompi, size) : mpich.Comm_size(c.mpich, size); }

int t2s_split(t2s_comm c, int color, int key, t2s_comm *out) {
	return is_ompi ? ompi.Comm_split(c.ompi, color, key, &out->ompi) : mpich.Comm_split(c.mpich, color, key, &out->mpich);
}

// Looks in quick succession at first, then with sleeps that grow to this.
#define QUICK 2000
#define LONGEST_SLEEP_NS 1000000

static long long now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int t2s_meet(t2s_comm c, const volatile long long *patience) {
	void *request;
	int number, done = 0;
	int rc = is_ompi ? ompi.Ibarrier(c.ompi, &request) : mpich.Ibarrier(c.mpich, &number);
	struct timespec pause = {0, 20000};
	long long since = 0; // when patience began to count
	for (int looks = 0; !rc; looks++) {
		rc = is_ompi ? ompi.Test(&request, &done, ompi.ignore) : mpich.Test(&number, &done, mpich.ignore);
		if (rc || done) {
			return rc;
		}
		if (*patience) {
			if (!since) {
				since = now_ns();
			} else if (now_ns() - since >= *patience) {
				return T2S_GAVE_UP;
			}
		}
		if (looks < QUICK) {
			sched_yield();
			continue;
		}
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < LONGEST_SLEEP_NS) {
			pause.tv_nsec += pause.tv_nsec / 4;
		}
	}
	return rc;
}

int t2s_gather(t2s_comm c, void *dst, const void *src, int n) {
	return is_ompi ? ompi.Allgather(src, n, ompi.byte, dst, n, ompi.byte, c.ompi)
	               : mpich.Allgather(src, n, mpich.byte, dst, n, mpich.byte, c.mpich);
}

int t2s_exchange(t2s_comm c, void *dst, const void *src, int n) {
	return is_ompi ? ompi.Alltoall(src, n, ompi.byte, dst, n, ompi.byte, c.ompi)
	               : mpich.Alltoall(src, n, mpich.byte, dst, n, mpich.byte, c.mpich);
}

int t2s_finalize(void) { return is_ompi ? ompi.Finalize() : mpich.Finalize(); }

int t2s_abort(int code) { return is_ompi ? ompi.Abort(ompi.world, code) : mpich.Abort(mpich.world, code); }

void t2s_text(int error, char *text) {
	int length = 0;
	text[0] = 0;
	if (CALL(Error_string, error, text, &length)) {
		snprintf(text, 512, "error %d", error);
	}
}
