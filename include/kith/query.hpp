// kith/query.hpp — which records are asked for.
#pragma once

#include "kith/query/condition.hpp"
#include "kith/query/evaluate.hpp"
#include "kith/query/expression.hpp"
#include "kith/query/field_ref.hpp"
