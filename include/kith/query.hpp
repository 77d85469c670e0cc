// kith/query.hpp — which records are asked for.
#pragma once

#include "kith/query/column.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/evaluate.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/field_ref.hpp"
#include "kith/query/field_tests.hpp"
#include "kith/query/json_ref.hpp"
#include "kith/query/parse.hpp"
#include "kith/query/term_ref.hpp"
