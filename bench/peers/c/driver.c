// Driver runs the peers that are shared libraries, as the protocol in ../README.md has it. Its arguments are
// NAME=LIBRARY, one for each peer. It is compiled without -ffast-math, and makes sure that no library has switched
// the processor to flushing subnormal numbers to zero, as one that is linked with -ffast-math would.

#define _GNU_SOURCE
#include "peer.h"
#include <dlfcn.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xmmintrin.h>

enum { MAX_PEERS = 32, MAX_CASES = 1024 };

typedef void focal_function(const struct batch *);

static struct peer {
	const char *name;
	focal_function *f32, *f64;
} peers[MAX_PEERS];
static int peer_count;

static struct {
	void *x, *loss, *grad;
	int32_t *label;
	long rows, cols;
	size_t size; // of an element
} data;

static struct job {
	focal_function *f;
	struct batch batch;
	int threads;
} jobs[MAX_CASES];

static void fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *allocate(size_t bytes) {
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (!p)
		fail("no memory");
	memset(p, 0, (bytes + 63) / 64 * 64);
	return p;
}

static void *read_file(const char *name, size_t bytes) {
	void *p = allocate(bytes);
	FILE *f = fopen(name, "rb");
	if (!f || fread(p, 1, bytes, f) != bytes)
		fail("cannot read %zu bytes of %s", bytes, name);
	fclose(f);
	return p;
}

static void load_peer(char *arg) {
	char *file = strchr(arg, '=');
	if (!file || peer_count == MAX_PEERS)
		fail("bad argument %s", arg);
	*file++ = 0;
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail("%s", dlerror());
	struct peer *p = &peers[peer_count++];
	p->name = arg;
	p->f32 = (focal_function *)dlsym(library, "focal_f32");
	p->f64 = (focal_function *)dlsym(library, "focal_f64");
	if (!p->f32 || !p->f64)
		fail("%s has not the functions of a peer", file);
	if (_mm_getcsr() & 0x8040)
		fail("%s has switched the processor to flush to zero", file);
}

static void load(long rows, long cols, const char *type, const char *x, const char *label) {
	free(data.x), free(data.loss), free(data.grad), free(data.label);
	memset(jobs, 0, sizeof jobs);
	data.rows = rows, data.cols = cols;
	data.size = strcmp(type, "f64") ? 4 : 8;
	size_t bytes = rows * cols * data.size;
	data.x = read_file(x, bytes);
	data.loss = allocate(bytes);
	data.grad = allocate(bytes);
	data.label = read_file(label, rows * sizeof *data.label);
}

static const char *prepare(struct job *j, const char *name, const char *op, double gamma, int threads) {
	const struct peer *p = peers;
	while (p < peers + peer_count && strcmp(p->name, name))
		p++;
	if (p == peers + peer_count)
		return "there is no such peer";
	int both = !strcmp(op, "both");
	if (!both && strcmp(op, "loss"))
		return "it takes labels";
	j->f = data.size == 8 ? p->f64 : p->f32;
	j->threads = threads;
	j->batch = (struct batch){data.x, data.label, data.loss, both ? data.grad : NULL, data.rows, data.cols, 0.25, gamma};
	return NULL;
}

// run splits the rows among the threads.
static void run(const struct job *j) {
	if (j->threads == 1) {
		j->f(&j->batch);
		return;
	}
#pragma omp parallel num_threads(j->threads)
	{
		long n = omp_get_num_threads(), i = omp_get_thread_num();
		long from = j->batch.rows * i / n, to = j->batch.rows * (i + 1) / n;
		size_t skip = from * j->batch.cols * data.size;
		struct batch b = j->batch;
		b.x = (const char *)b.x + skip;
		b.loss = (char *)b.loss + skip;
		if (b.grad)
			b.grad = (char *)b.grad + skip;
		b.label += from;
		b.rows = to - from;
		j->f(&b);
	}
}

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double sum(const void *p) {
	double s = 0;
	if (p)
		for (long i = 0; i < data.rows * data.cols; i++)
			s += data.size == 8 ? ((const double *)p)[i] : ((const float *)p)[i];
	return s;
}

static void dump(const struct job *j, const char *name) {
	size_t n = data.rows * data.cols;
	FILE *f = fopen(name, "wb");
	if (!f || fwrite(j->batch.loss, data.size, n, f) != n || (j->batch.grad && fwrite(j->batch.grad, data.size, n, f) != n) || fclose(f))
		fail("cannot write %s", name);
}

int main(int argc, char **argv) {
	for (int i = 1; i < argc; i++)
		load_peer(argv[i]);
	printf("ready gcc %s\n", __VERSION__);
	fflush(stdout);

	char line[4096];
	while (fgets(line, sizeof line, stdin)) {
		char name[64], op[64], file[1024], label[1024];
		long rows, cols, n;
		int id, threads;
		double gamma;
		const char *reason;
		if (sscanf(line, "load %ld %ld %63s %1023s %1023s", &rows, &cols, op, file, label) == 5) {
			load(rows, cols, op, file, label);
			puts("ok");
		} else if (sscanf(line, "case %d %63s %63s %lf %d", &id, name, op, &gamma, &threads) == 5 && id >= 0 && id < MAX_CASES) {
			if ((reason = prepare(&jobs[id], name, op, gamma, threads)))
				printf("no %s\n", reason);
			else
				puts("ok");
		} else if (sscanf(line, "time %d %ld", &id, &n) == 2 && id >= 0 && id < MAX_CASES && jobs[id].f) {
			long long start = now();
			for (long i = 0; i < n; i++)
				run(&jobs[id]);
			printf("%lld\n", now() - start);
		} else if (sscanf(line, "sums %d", &id) == 1 && id >= 0 && id < MAX_CASES && jobs[id].f) {
			printf("%.17g %.17g\n", sum(jobs[id].batch.loss), sum(jobs[id].batch.grad));
		} else if (sscanf(line, "dump %d %1023s", &id, file) == 2 && id >= 0 && id < MAX_CASES && jobs[id].f) {
			run(&jobs[id]);
			dump(&jobs[id], file);
			puts("ok");
		} else {
			fail("driver: bad command: %s", line);
		}
		fflush(stdout);
	}
	return 0;
}
