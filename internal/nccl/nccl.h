// What this package calls of NCCL, without its headers (nccl.h, NCCL's user guide, "NCCL
// API"). Results are 0 on success.
#ifndef T2SDA_NCCL_H
#define T2SDA_NCCL_H

#include <stddef.h>
#include <stdint.h>

// t2s_nccl_id is what ranks find each other by.
typedef struct { char bytes[128]; } t2s_nccl_id;

typedef struct {
	int (*GetVersion)(int *version);
	int (*GetUniqueId)(t2s_nccl_id *id);
	int (*CommInitRank)(void **comm, int size, t2s_nccl_id id, int rank);
	int (*CommGetAsyncError)(void *comm, int *result);
	int (*CommAbort)(void *comm);
	int (*CommDestroy)(void *comm);
	int (*GroupStart)(void);
	int (*GroupEnd)(void);
	int (*Send)(const void *from, size_t n, int type, int rank, void *comm, void *stream);
	int (*Recv)(void *to, size_t n, int type, int rank, void *comm, void *stream);
	const char *(*GetErrorString)(int result);
	const char *(*GetLastError)(void *comm); // NULL before NCCL 2.13
} t2s_nccl;

// t2s_nccl_part is n float32 values that go to a rank, or come from it.
typedef struct {
	int rank;
	uintptr_t address;
	size_t n;
} t2s_nccl_part;

// t2s_nccl_load opens a library and fills the table. It returns NULL, or what is wrong, for
// the caller to free.
char *t2s_nccl_load(const char *library, t2s_nccl *t);

int t2s_nccl_version(t2s_nccl *t, int *version);
int t2s_nccl_unique(t2s_nccl *t, t2s_nccl_id *id);
// t2s_nccl_init may leave comm to be written later, by threads of the library's.
int t2s_nccl_init(t2s_nccl *t, void **comm, int size, const t2s_nccl_id *id, int rank);

// t2s_nccl_swap gives all parts to the stream as one group. Call is that whose result it is.
int t2s_nccl_swap(t2s_nccl *t, void *comm, void *stream, const t2s_nccl_part *send, size_t sends,
                  const t2s_nccl_part *receive, size_t receives, const char **call);

// t2s_nccl_failed is the communicator's error so far, of what NCCL does by itself.
int t2s_nccl_failed(t2s_nccl *t, void *comm);
int t2s_nccl_abort(t2s_nccl *t, void *comm);
int t2s_nccl_destroy(t2s_nccl *t, void *comm);

const char *t2s_nccl_text(t2s_nccl *t, int result);
const char *t2s_nccl_last(t2s_nccl *t); // may be empty

#endif
