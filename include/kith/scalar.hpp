// kith/scalar.hpp — the door to scalar fields: what finds records by their values.
#pragma once

#include "kith/scalar/column_builder.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/column_scan.hpp"
#include "kith/scalar/growing_column.hpp"
#include "kith/scalar/growing_index.hpp"
#include "kith/scalar/growing_terms.hpp"
#include "kith/scalar/number_intervals.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/row_terms.hpp"
#include "kith/scalar/scalar_index.hpp"
#include "kith/scalar/scalar_index_builder.hpp"
#include "kith/scalar/slot_chain.hpp"
#include "kith/scalar/slot_list.hpp"
#include "kith/scalar/term.hpp"
#include "kith/scalar/term_lists.hpp"
#include "kith/scalar/term_lists_builder.hpp"
