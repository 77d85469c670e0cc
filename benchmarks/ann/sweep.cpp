// benchmarks/ann/sweep.cpp — combining settings, and leaving out what teaches nothing.
#include "sweep.hpp"

#include <algorithm>

namespace ann {
namespace {

/// Whether `a` asks for no more work than `b`.
bool is_less_work(const Setting& a, const Setting& b) {
    return a.ef <= b.ef && a.nprobe <= b.nprobe && a.stretch <= b.stretch && a.rescore <= b.rescore;
}

}  // namespace

std::vector<Setting> settings_of(const Variant& variant, const Plan& plan, std::size_t k) {
    const auto choose = [](const auto& theirs, const auto& users) {
        return users.empty() || theirs.size() == 1 ? theirs : users;
    };
    std::vector<Setting> settings;
    for (const float rescore : choose(variant.sweep.rescore, plan.rescore)) {
        for (const std::uint32_t nprobe : choose(variant.sweep.nprobe, plan.nprobe)) {
            for (const float stretch : variant.sweep.stretch) {
                for (const std::uint32_t ef : choose(variant.sweep.ef, plan.ef)) {
                    if (ef == 0 || ef >= k) settings.push_back({ef, nprobe, stretch, rescore});
                }
            }
        }
    }
    return settings;
}

bool is_pointless(const Setting& setting, std::span<const Point> tried) {
    constexpr double enough = 0.9995, worth_telling = 0.0005;
    for (const Point& step : tried) {
        if (!is_less_work(step.setting, setting)) continue;
        if (step.recall >= enough) return true;
        // With as many compared again, that many are what limits.
        const bool brought_nothing = std::any_of(tried.begin(), tried.end(), [&](const Point& before) {
            return &before != &step && is_less_work(before.setting, step.setting) &&
                   before.setting.rescore == step.setting.rescore && step.recall < before.recall + worth_telling;
        });
        if (brought_nothing && step.setting.rescore == setting.rescore) return true;
    }
    return false;
}

bool is_beaten(const Point& point, std::span<const Point> all) {
    constexpr double clearly = 1.3;
    return std::any_of(all.begin(), all.end(), [&](const Point& other) {
        return other.recall >= point.recall && other.qps > clearly * point.qps;
    });
}

}  // namespace ann
