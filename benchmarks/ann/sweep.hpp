// benchmarks/ann/sweep.hpp — which settings of a contender are worth the time?
#pragma once

#include "measure.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace ann {

/// The settings at which a variant is measured, of those a search for k can use: by rising work at each rescore factor.
std::vector<Setting> settings_of(const Variant& variant, const Plan& plan, std::size_t k);

/// Whether a setting can find nothing more worth telling than those of its contender that were tried: less work already
/// finds nearly all, or the last step of work brought nothing.
bool is_pointless(const Setting& setting, std::span<const Point> tried);

/// Whether another point of the same contender finds as much and is so much faster that no noise makes up for it.
bool is_beaten(const Point& point, std::span<const Point> all);

}  // namespace ann
