// tests/collection/crash/items.hpp — what the crash program writes, known from a seed alone.
//
// Several lanes write at once, each its own items, so that batches of several writers share a sync. What step 7 of lane
// 2 does follows from the seed and the steps of that lane before it. So a judge can work out what the collection must
// hold after any step of any lane.
#pragma once

#include "kith/collection/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/cosine.hpp"
#include "kith/distance/l2.hpp"
#include "kith/index/ivf.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kith_crash {

struct Item {
    std::string id;
    std::int64_t version = 0;  // the step that wrote it
    std::optional<std::string> text;
    std::array<float, 6> exact{};
    std::array<float, 20> near{};
    std::array<float, 8> listed{};

    friend bool operator==(const Item&, const Item&) = default;
};

// Lists are trained from 64 records on, so that small segments have a trained index too.
using Lists = kith::Ivf<kith::IvfParams{.lists = 2}, kith::IvfRaw>;
using Items =
    kith::Schema<Item, kith::Key<&Item::id>, kith::Field<&Item::version, kith::indexed>,
                 kith::VectorField<&Item::exact, kith::L2, kith::Flat>, kith::VectorField<&Item::near, kith::Cosine>,
                 kith::VectorField<&Item::listed, kith::L2, Lists>>;
using Store = kith::Collection<Items>;
using Model = std::map<std::uint64_t, std::uint64_t>;  // the version of each item by its number

/// What a run is made of; the judge must be told the same.
struct Plan {
    std::uint64_t seed = 1;
    std::uint64_t lanes = 1;
    std::uint64_t load = 0;     // records that each lane inserts first, and erases again, to make long work
    kith::Slot capacity = 60;   // of a segment
    std::uint64_t log_kib = 8;  // a longer log is sealed in the background
    std::string level = "each_commit";
};

/// Throws: std::out_of_range for a level that does not exist.
inline kith::Options options_of(const Plan& plan) {
    static const std::map<std::string, kith::Durability> levels{
        {"each_commit", kith::Durability::each_commit()},
        {"interval", kith::Durability::interval(std::chrono::milliseconds(1))},
        {"on_checkpoint", kith::Durability::on_checkpoint()},
    };
    kith::Options options;
    options.durability = levels.at(plan.level);
    options.segment_capacity = plan.capacity;
    options.log_bytes = plan.log_kib << 10;
    return options;
}

enum class Act : std::uint8_t { load, insert, upsert, update, erase, refused, hold, link, checkpoint, compact, reopen };

inline const char* name_of(Act act) {
    constexpr std::array<const char*, 11> names{"load", "insert", "upsert",     "update",  "erase", "refused",
                                                "hold", "link",   "checkpoint", "compact", "reopen"};
    return names[static_cast<std::size_t>(act)];
}

/// Whether all that was acknowledged before the act is on the disk after it.
inline bool makes_durable(std::string_view act) {
    return act == "checkpoint" || act == "reopen";
}

struct Step {
    Act act = Act::insert;
    std::vector<std::uint64_t> numbers;  // of the items
};

inline kith::SplitMix64 random_of(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
    kith::SplitMix64 mixed(seed * 0x9e3779b97f4a7c15 + a);
    return kith::SplitMix64(mixed() + b);
}

inline std::string key_of(std::uint64_t number) {
    return "item " + std::to_string(number);
}

inline std::uint64_t number_of(const Item& item) {
    return std::stoull(item.id.substr(5));
}

inline Item item_of(std::uint64_t seed, std::uint64_t number, std::uint64_t version) {
    kith::SplitMix64 random = random_of(seed, number + 1, version);
    Item item;
    item.id = key_of(number);
    item.version = static_cast<std::int64_t>(version);
    if (random() % 3 != 0) item.text = std::string(random() % 400, static_cast<char>('a' + random() % 26));
    for (float& element : item.exact) element = static_cast<float>(random.uniform());
    for (float& element : item.near) element = static_cast<float>(random.uniform() - 0.5);
    for (float& element : item.listed) element = static_cast<float>(random.uniform());
    return item;
}

// Items numbered from this on, times the lanes, are inserted by no step that succeeds.
inline constexpr std::uint64_t first_of_no_lane = 1'000'000'000;

/// The steps of one lane, one after the other.
class Lane {
public:
    Lane(const Plan& plan, std::uint64_t lane) : plan_(plan), lane_(lane) {}

    /// What the step `number`, from 1, does after those that were applied.
    [[nodiscard]] Step step(std::uint64_t number) const {
        if (plan_.load > 0 && number <= 5) return long_work(number);
        kith::SplitMix64 random = random_of(plan_.seed, lane_ << 32, number);
        const std::uint64_t universe = 40 + number / 32;
        const std::uint64_t choice = random() % 100;
        if (choice < 3) return {Act::checkpoint, {}};
        if (choice < 5) return {Act::compact, {}};
        if (choice < 6) return {Act::reopen, {}};
        if (choice < 7) return {Act::link, {}};
        if (choice < 10) return {Act::hold, {}};
        if (choice < 12) return {Act::refused, pick(random, universe, true)};
        if (choice < 40) return {Act::insert, pick(random, universe, false)};
        if (choice < 55) return {Act::erase, pick(random, universe, true)};
        if (choice < 65) {
            std::vector<std::uint64_t> numbers = pick(random, universe, true);
            if (!numbers.empty()) numbers.resize(1);
            return {Act::update, std::move(numbers)};
        }
        std::vector<std::uint64_t> numbers = pick(random, universe, true);
        for (const std::uint64_t other : pick(random, universe, false)) numbers.push_back(other);
        return {Act::upsert, std::move(numbers)};
    }

    void apply(const Step& step, std::uint64_t number) {
        if (step.act == Act::refused) return;
        for (const std::uint64_t item : step.numbers) {
            if (step.act == Act::erase) {
                model_.erase(item);
            } else {
                model_[item] = number;
            }
        }
    }

    [[nodiscard]] const Model& model() const noexcept { return model_; }

private:
    /// Many records at once, then all that is built over them: graphs, lists, codes, and their files; and all of it given
    /// back.
    [[nodiscard]] Step long_work(std::uint64_t number) const {
        if (number == 2) return {Act::link, {}};
        if (number == 3) return {Act::checkpoint, {}};
        if (number == 5) return {Act::compact, {}};
        Step step{number == 1 ? Act::load : Act::erase, {}};
        for (std::uint64_t i = 0; i < plan_.load; ++i) step.numbers.push_back(i * plan_.lanes + lane_);
        return step;
    }

    /// Some items of this lane that are in the model (`present`) or not, without repetition.
    [[nodiscard]] std::vector<std::uint64_t> pick(kith::SplitMix64& random, std::uint64_t universe,
                                                  bool present) const {
        const std::uint64_t wanted = 1 + (random() % 4 == 0 ? random() % 40 : random() % 4);
        std::set<std::uint64_t> picked;
        for (std::uint64_t trial = 0; trial < 4 * wanted && picked.size() < wanted; ++trial) {
            const std::uint64_t number = random() % universe * plan_.lanes + lane_;
            if (model_.contains(number) == present) picked.insert(number);
        }
        return {picked.begin(), picked.end()};
    }

    Plan plan_;
    std::uint64_t lane_;
    Model model_;  // after the steps that were applied
};

}  // namespace kith_crash
