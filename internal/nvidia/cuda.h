// What this package calls of the driver's interface, without its headers (cuda.h, "CUDA Driver
// API"). Results are 0 on success.
#ifndef T2SDA_CUDA_H
#define T2SDA_CUDA_H

#include <stddef.h>

typedef struct {
	int (*init)(unsigned flags);
	int (*version)(int *out);
	int (*count)(int *out);
	int (*get)(int *device, int ordinal);
	int (*name)(char *out, int n, int device);
	int (*memory)(size_t *out, int device);
	int (*uuid)(unsigned char out[16], int device);     // of a part of a GPU: the GPU's
	int (*instance)(unsigned char out[16], int device); // of a part of a GPU: its own; NULL before CUDA 11.4
	int (*attribute)(int *out, int which, int device);
	int (*error)(int result, const char **out);
	// For streams; NULL before CUDA 11.
	int (*retain)(void **context, int device);
	int (*release)(int device);
	int (*current)(void *context);
	int (*create)(void **stream, unsigned flags);
	int (*query)(void *stream);
	int (*destroy)(void *stream);
} cuda_driver;

// nvidia_open opens a library of the driver's, NULL where it cannot be loaded. A driver that
// has been set up stays loaded: it keeps threads and handlers of its own.
void *nvidia_open(const char *name, int stays);
void nvidia_close(void *library);

// cuda_find fills the table and reports whether all is there that tells of GPUs.
int cuda_find(void *library, cuda_driver *d);
// cuda_streams reports whether all is there that streams need.
int cuda_streams(const cuda_driver *d);

int cuda_init(cuda_driver *d);
int cuda_version(cuda_driver *d, int *out);
int cuda_count(cuda_driver *d, int *out);
int cuda_device(cuda_driver *d, int ordinal, char *name, int n, size_t *memory, unsigned char *uuid, unsigned char *instance,
                int *major, int *minor);
const char *cuda_error(cuda_driver *d, int result);

// cuda_stream makes the primary context of a device the thread's, and a stream in it.
int cuda_stream(cuda_driver *d, int ordinal, int *device, void **stream);
int cuda_query(cuda_driver *d, void *stream);
int cuda_end(cuda_driver *d, int device, void *stream);

#endif
