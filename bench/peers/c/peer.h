// What the driver hands to a peer, and what a peer's library exports.

#ifndef PEER_H
#define PEER_H

#include <stdint.h>

struct batch {
	const void *x;        // [rows, cols], float or double
	const int32_t *label; // one for each row: 1..cols the class, 0 background; none is ignored
	void *loss;           // [rows, cols]
	void *grad;           // [rows, cols], or a null pointer: not wanted
	long rows, cols;
	double alpha, gamma;
};

#ifdef __cplusplus
extern "C" {
#endif
void focal_f32(const struct batch *);
void focal_f64(const struct batch *);
#ifdef __cplusplus
}
#endif

#endif
