// kith/quantize.hpp — fewer bytes a vector, and distances from those bytes.
#pragma once

#include "kith/quantize/centroids.hpp"
#include "kith/quantize/codebooks.hpp"
#include "kith/quantize/codec.hpp"
#include "kith/quantize/float16.hpp"
#include "kith/quantize/kmeans.hpp"
#include "kith/quantize/mean.hpp"
#include "kith/quantize/opq.hpp"
#include "kith/quantize/pq.hpp"
#include "kith/quantize/rabitq.hpp"
#include "kith/quantize/rotated.hpp"
#include "kith/quantize/rotation.hpp"
#include "kith/quantize/scalar.hpp"
#include "kith/quantize/training.hpp"
#include "kith/quantize/uniform.hpp"
