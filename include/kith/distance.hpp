// kith/distance.hpp — how far apart two vectors are.
#pragma once

#include "kith/distance/code_kernels.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/distance/hamming.hpp"
#include "kith/distance/inner_product.hpp"
#include "kith/distance/isa.hpp"
#include "kith/distance/jaccard.hpp"
#include "kith/distance/kernels.hpp"
#include "kith/distance/l2.hpp"
#include "kith/distance/metric.hpp"
#include "kith/distance/portable.hpp"
#include "kith/distance/portable_codes.hpp"
#include "kith/distance/scorer.hpp"
