// kith/index.hpp — from a query to the nearest slots without reading them all.
#pragma once

#include "kith/index/candidate.hpp"
#include "kith/index/code_memory.hpp"
#include "kith/index/coded_index.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/hnsw.hpp"
#include "kith/index/ivf.hpp"
#include "kith/index/ivf_candidates.hpp"
#include "kith/index/raw_rows.hpp"
#include "kith/index/row_memory.hpp"
#include "kith/index/search_params.hpp"
#include "kith/index/search_scratch.hpp"
#include "kith/index/tags.hpp"
#include "kith/index/typed_vector_index.hpp"
#include "kith/index/vector_index.hpp"
#include "kith/index/visited_set.hpp"
