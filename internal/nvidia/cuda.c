#define _GNU_SOURCE
#include "cuda.h"

#include <dlfcn.h>
#include <string.h>

void *nvidia_open(const char *name, int stays) {
	return dlopen(name, RTLD_LAZY | RTLD_LOCAL | (stays ? RTLD_NODELETE : 0));
}

void nvidia_close(void *library) { dlclose(library); }

int cuda_find(void *l, cuda_driver *d) {
	d->init = dlsym(l, "cuInit");
	d->version = dlsym(l, "cuDriverGetVersion");
	d->count = dlsym(l, "cuDeviceGetCount");
	d->get = dlsym(l, "cuDeviceGet");
	d->name = dlsym(l, "cuDeviceGetName");
	d->memory = dlsym(l, "cuDeviceTotalMem_v2");
	d->uuid = dlsym(l, "cuDeviceGetUuid");
	d->instance = dlsym(l, "cuDeviceGetUuid_v2");
	d->attribute = dlsym(l, "cuDeviceGetAttribute");
	d->error = dlsym(l, "cuGetErrorName");
	d->retain = dlsym(l, "cuDevicePrimaryCtxRetain");
	d->release = dlsym(l, "cuDevicePrimaryCtxRelease_v2");
	d->current = dlsym(l, "cuCtxSetCurrent");
	d->create = dlsym(l, "cuStreamCreate");
	d->query = dlsym(l, "cuStreamQuery");
	d->destroy = dlsym(l, "cuStreamDestroy_v2");
	return d->init && d->version && d->count && d->get && d->name && d->memory && d->uuid && d->attribute && d->error;
}

int cuda_streams(const cuda_driver *d) {
	return d->retain && d->release && d->current && d->create && d->query && d->destroy;
}

int cuda_init(cuda_driver *d) { return d->init(0); }

int cuda_version(cuda_driver *d, int *out) { return d->version(out); }

int cuda_count(cuda_driver *d, int *out) { return d->count(out); }

int cuda_device(cuda_driver *d, int ordinal, char *name, int n, size_t *memory, unsigned char *uuid, unsigned char *instance,
                int *major, int *minor) {
	const int compute_major = 75, compute_minor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...
	int device = 0, r = d->get(&device, ordinal);
	if (!r) r = d->name(name, n, device);
	if (!r) r = d->memory(memory, device);
	if (!r) r = d->uuid(uuid, device);
	if (!r && (!d->instance || d->instance(instance, device))) memcpy(instance, uuid, 16);
	if (!r) r = d->attribute(major, compute_major, device);
	if (!r) r = d->attribute(minor, compute_minor, device);
	return r;
}

const char *cuda_error(cuda_driver *d, int result) {
	const char *name = "unknown error";
	d->error(result, &name);
	return name;
}

int cuda_stream(cuda_driver *d, int ordinal, int *device, void **stream) {
	const unsigned non_blocking = 1; // CU_STREAM_NON_BLOCKING: waits for no other stream
	void *context = NULL;
	int r = d->init(0);
	if (!r) r = d->get(device, ordinal);
	if (!r) r = d->retain(&context, *device);
	if (r) return r;
	r = d->current(context);
	if (!r) r = d->create(stream, non_blocking);
	if (r) d->release(*device);
	return r;
}

int cuda_query(cuda_driver *d, void *stream) { return d->query(stream); }

int cuda_end(cuda_driver *d, int device, void *stream) {
	int r = d->destroy(stream), e = d->release(device);
	return r ? r : e;
}
