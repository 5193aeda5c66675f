// A libnccl.so.2 whose ranks are threads or processes of one machine, and whose devices'
// memory is the host's: what is sent goes through a FIFO for each pair of ranks.
//
// A stream is an int in memory, how many groups have been given to it and are not done; what
// they move, threads do, after ncclGroupEnd has returned.
//
// VERSION is its version, INIT what ncclCommInitRank returns, SEND what ncclSend does, FAILS
// what the communicator's error is. LOST: what is to be swapped is not, but said to be done;
// HANGS: nor is it ever done; HOLDS: ncclGroupEnd waits as long as there is a file of the
// folder's name with .hold.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION 22703
#endif
#ifndef INIT
#define INIT 0
#endif
#ifndef FAILS
#define FAILS 0
#endif
#ifndef SEND
#define SEND 0
#endif
#ifndef LOST
#define LOST 0
#endif
#ifndef HANGS
#define HANGS 0
#endif
#ifndef HOLDS
#define HOLDS 0
#endif

enum { OK, CUDA_FAILED, SYSTEM_FAILED, INTERNAL, INVALID };

typedef struct { char bytes[128]; } id;

typedef struct {
	int rank, size;
	char dir[128];
	int *to, *from;  // FIFOs
	int under_way;   // groups whose threads run
	int stop;        // them
} comm;

int ncclGetVersion(int *version) { *version = VERSION; return OK; }

const char *ncclGetErrorString(int result) {
	return result == CUDA_FAILED ? "unhandled cuda error" : result == 6 ? "remote process exited or there was a network error" : "error of the fake";
}

const char *ncclGetLastError(void *c) { return INIT == CUDA_FAILED ? "Cuda failure 'CUDA driver version is insufficient for CUDA runtime version'" : ""; }

int ncclGetUniqueId(id *out) {
	const char *dir = getenv("TMPDIR");
	memset(out, 0, sizeof *out);
	snprintf(out->bytes, sizeof out->bytes, "%s/ncclXXXXXX", dir ? dir : "/tmp");
	return mkdtemp(out->bytes) ? OK : SYSTEM_FAILED;
}

static void path(const comm *c, int from, int to, char *out, size_t n) { snprintf(out, n, "%s/%d-%d", c->dir, from, to); }

static int fifo(const comm *c, int from, int to) {
	char name[200];
	path(c, from, to, name, sizeof name);
	if (mkfifo(name, 0600) && errno != EEXIST) return -1;
	return open(name, O_RDWR | O_NONBLOCK); // so that it is not waited for here
}

// move reads or writes as much as goes and returns how much.
static size_t move(int fd, int writes, char *at, size_t n) {
	ssize_t k = writes ? write(fd, at, n) : read(fd, at, n);
	return k > 0 ? k : 0;
}

// meet waits until all ranks are here.
static void meet(const comm *c) {
	for (int r = 0; r < c->size; r++) move(c->to[r], 1, "!", 1);
	for (int r = 0; r < c->size; r++) {
		char sign;
		while (!move(c->from[r], 0, &sign, 1)) usleep(1000);
	}
}

int ncclCommInitRank(void **out, int size, id i, int rank) {
	if (INIT) return INIT;
	comm *c = calloc(1, sizeof *c);
	c->rank = rank;
	c->size = size;
	memcpy(c->dir, i.bytes, sizeof c->dir);
	c->to = calloc(size, sizeof(int));
	c->from = calloc(size, sizeof(int));
	for (int r = 0; r < size; r++)
		if ((c->to[r] = fifo(c, rank, r)) < 0 || (c->from[r] = fifo(c, r, rank)) < 0) return SYSTEM_FAILED;
	meet(c);
	*out = c;
	return OK;
}

static int leave(comm *c) {
	char name[200];
	while (__atomic_load_n(&c->under_way, __ATOMIC_SEQ_CST)) usleep(1000);
	for (int r = 0; r < c->size; r++) {
		close(c->to[r]);
		close(c->from[r]);
		path(c, r, c->rank, name, sizeof name);
		unlink(name);
	}
	rmdir(c->dir); // the last one does
	free(c->to);
	free(c->from);
	free(c);
	return OK;
}

// Destroying is for all ranks together.
int ncclCommDestroy(comm *c) {
	meet(c);
	return leave(c);
}

// The folder's name with .aborted is left for the test to see.
int ncclCommAbort(comm *c) {
	char name[200];
	__atomic_store_n(&c->stop, 1, __ATOMIC_SEQ_CST);
	snprintf(name, sizeof name, "%s.aborted", c->dir);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	return leave(c);
}

int ncclCommGetAsyncError(comm *c, int *out) { *out = FAILS; return OK; }

typedef struct {
	int fd, writes;
	char *at;
	size_t left;
} op;

static __thread op ops[4096];
static __thread int count, open_groups;
static __thread comm *whose;
static __thread int *queue; // the stream

static int add(comm *c, int fd, int writes, void *at, size_t n, int type, int *stream) {
	if (type != 7 || !open_groups || count == 4096 || !stream) return INVALID;
	whose = c;
	queue = stream;
	ops[count++] = (op){fd, writes, at, 4 * n};
	return OK;
}

int ncclSend(const void *at, size_t n, int type, int rank, comm *c, int *stream) {
	if (SEND) return SEND;
	return rank < 0 || rank >= c->size ? INVALID : add(c, c->to[rank], 1, (void *)at, n, type, stream);
}

int ncclRecv(void *at, size_t n, int type, int rank, comm *c, int *stream) {
	return rank < 0 || rank >= c->size ? INVALID : add(c, c->from[rank], 0, at, n, type, stream);
}

int ncclGroupStart(void) { open_groups++; return OK; }

typedef struct {
	comm *c;
	int *stream, count;
	op ops[];
} group;

// run moves all at the same time, and what is of one FIFO in order.
static void *run(void *arg) {
	group *g = arg;
	for (int busy = !LOST; busy && !__atomic_load_n(&g->c->stop, __ATOMIC_SEQ_CST);) {
		busy = HANGS;
		for (int i = 0; !HANGS && i < g->count; i++) {
			op *o = &g->ops[i];
			for (int k = 0; k < i; k++)
				if (g->ops[k].left && g->ops[k].fd == o->fd) goto next;
			while (o->left) {
				size_t n = move(o->fd, o->writes, o->at, o->left);
				if (!n) break;
				o->at += n;
				o->left -= n;
			}
			busy |= o->left > 0;
		next:;
		}
		if (busy) sched_yield();
	}
	__atomic_fetch_sub(g->stream, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&g->c->under_way, 1, __ATOMIC_SEQ_CST);
	free(g);
	return NULL;
}

int ncclGroupEnd(void) {
	pthread_t thread;
	if (--open_groups) return INVALID;
	if (!count) return OK;
	char hold[200];
	snprintf(hold, sizeof hold, "%s.hold", whose->dir);
	while (HOLDS && !access(hold, F_OK)) usleep(1000);
	group *g = malloc(sizeof *g + count * sizeof *ops);
	*g = (group){whose, queue, count};
	memcpy(g->ops, ops, count * sizeof *ops);
	count = 0;
	__atomic_fetch_add(g->stream, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&g->c->under_way, 1, __ATOMIC_SEQ_CST);
	if (pthread_create(&thread, NULL, run, g)) return SYSTEM_FAILED;
	return pthread_detach(thread) ? SYSTEM_FAILED : OK;
}
