#define _GNU_SOURCE
#include "nccl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define FLOAT32 7 // ncclFloat32

#define LOOK_UP(name)                                                                       \
	if (!(*(void **)&t->name = dlsym(lib, "nccl" #name))) {                             \
		char text[1024];                                                            \
		snprintf(text, sizeof text, "%s: it has no function nccl" #name, library);  \
		dlclose(lib);                                                               \
		return strdup(text);                                                        \
	}

char *t2s_nccl_load(const char *library, t2s_nccl *t) {
	void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		return strdup(dlerror());
	}
	LOOK_UP(GetVersion) LOOK_UP(GetUniqueId) LOOK_UP(CommInitRank) LOOK_UP(CommGetAsyncError)
	LOOK_UP(CommAbort) LOOK_UP(CommDestroy) LOOK_UP(GroupStart) LOOK_UP(GroupEnd)
	LOOK_UP(Send) LOOK_UP(Recv) LOOK_UP(GetErrorString)
	*(void **)&t->GetLastError = dlsym(lib, "ncclGetLastError");
	return NULL; // the library stays: it has threads of its own
}

int t2s_nccl_version(t2s_nccl *t, int *version) { return t->GetVersion(version); }

int t2s_nccl_unique(t2s_nccl *t, t2s_nccl_id *id) { return t->GetUniqueId(id); }

int t2s_nccl_init(t2s_nccl *t, void **comm, int size, const t2s_nccl_id *id, int rank) {
	return t->CommInitRank(comm, size, *id, rank);
}

int t2s_nccl_swap(t2s_nccl *t, void *comm, void *stream, const t2s_nccl_part *send, size_t sends,
                  const t2s_nccl_part *receive, size_t receives, const char **call) {
	*call = "ncclGroupStart";
	int r = t->GroupStart();
	if (r) {
		return r;
	}
	for (size_t i = 0; !r && i < sends; i++) {
		*call = "ncclSend";
		r = t->Send((void *)send[i].address, send[i].n, FLOAT32, send[i].rank, comm, stream);
	}
	for (size_t i = 0; !r && i < receives; i++) {
		*call = "ncclRecv";
		r = t->Recv((void *)receive[i].address, receive[i].n, FLOAT32, receive[i].rank, comm, stream);
	}
	int ended = t->GroupEnd(); // also after an error, so that no group is left open
	if (r) {
		return r;
	}
	*call = "ncclGroupEnd";
	return ended;
}

int t2s_nccl_failed(t2s_nccl *t, void *comm) {
	int failed = 0, r = t->CommGetAsyncError(comm, &failed);
	return r ? r : failed;
}

int t2s_nccl_abort(t2s_nccl *t, void *comm) { return t->CommAbort(comm); }

int t2s_nccl_destroy(t2s_nccl *t, void *comm) { return t->CommDestroy(comm); }

const char *t2s_nccl_text(t2s_nccl *t, int result) { return t->GetErrorString(result); }

const char *t2s_nccl_last(t2s_nccl *t) {
	const char *text = t->GetLastError ? t->GetLastError(NULL) : NULL;
	return text ? text : "";
}
