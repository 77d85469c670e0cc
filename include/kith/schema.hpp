// kith/schema.hpp — what a record is, known while compiling.
#pragma once

#include "kith/schema/attributes.hpp"
#include "kith/schema/field.hpp"
#include "kith/schema/fingerprint.hpp"
#include "kith/schema/key.hpp"
#include "kith/schema/schema.hpp"
#include "kith/schema/validate.hpp"
