// tests/collection/things.hpp — collections of things, conditions on them, and what a look at every record finds.
#pragma once

#include "kith/collection/collection.hpp"
#include "kith/core/random.hpp"
#include "kith/distance/l2.hpp"
#include "kith/query/condition.hpp"
#include "kith/query/evaluate.hpp"
#include "kith/query/parse.hpp"

#include "support/catch.hpp"
#include "support/condition_grammar.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kith_test {

/// Of every kind of field: some with an index, some without.
using Things = kith::Schema<Thing, kith::Key<&Thing::key>, kith::Field<&Thing::small, kith::indexed>,
                            kith::Field<&Thing::large, kith::indexed>, kith::Field<&Thing::weight, kith::indexed>,
                            kith::Field<&Thing::open, kith::indexed>, kith::Field<&Thing::maybe, kith::indexed>,
                            kith::Field<&Thing::note, kith::Indexed{.suffixes = true, .substrings = true}>,
                            kith::Field<&Thing::shade, kith::indexed>, kith::Field<&Thing::tags, kith::indexed>,
                            kith::Field<&Thing::marks, kith::indexed>, kith::Field<&Thing::seen, kith::indexed>,
                            kith::VectorField<&Thing::place, kith::L2, kith::Hnsw<kith::HnswParams{.max_links = 6}>>>;

/// The same records, with other indexes: some are gone, some are new.
using OtherThings =
    kith::Schema<Thing, kith::Key<&Thing::key>, kith::Field<&Thing::small, kith::indexed>,
                 kith::Field<&Thing::size, kith::indexed>, kith::Field<&Thing::price, kith::indexed>,
                 kith::Field<&Thing::note, kith::indexed>, kith::Field<&Thing::tags, kith::Indexed{.substrings = true}>,
                 kith::Field<&Thing::code, kith::indexed>,
                 kith::VectorField<&Thing::place, kith::L2, kith::Hnsw<kith::HnswParams{.max_links = 6}>>>;

using Condition = kith::Condition<Thing>;
using Model = std::map<std::string, Thing>;

struct Asked {
    std::string text;
    Condition condition;
};

/// Draws things and conditions on them.
class ThingMaker {
public:
    explicit ThingMaker(std::uint64_t seed) : random_(seed) {}

    /// The one with that number, never the same twice. Coordinates are whole, so that distances are exact.
    Thing thing(int number) {
        Thing made = grammar_.thing();
        made.key += "-" + std::to_string(number);
        for (float& coordinate : made.place) coordinate = static_cast<float>(random_.below(2000));
        made.seen = time(static_cast<std::int64_t>(random_.below(60)));
        made.code = static_cast<std::uint32_t>(random_.below(300));
        return made;
    }

    Asked condition(int depth) {
        const std::string text = grammar_.condition(depth).text;
        Condition made = kith::parse_condition<Thing>(text);
        if (random_.below(4) > 0) return {text, std::move(made)};
        const std::int64_t moment = static_cast<std::int64_t>(random_.below(60));
        const auto code = static_cast<std::uint32_t>(random_.below(300));
        switch (random_.below(4)) {
            case 0:
                return {text + " and seen >= " + std::to_string(moment),
                        std::move(made) && kith::field<&Thing::seen> >= time(moment)};
            case 1:
                return {text + " or seen < " + std::to_string(moment),
                        std::move(made) || kith::field<&Thing::seen> < time(moment)};
            case 2:
                return {text + " and not code <= " + std::to_string(code),
                        std::move(made) && !(kith::field<&Thing::code> <= code)};
            default:
                return {text + " or code = " + std::to_string(code),
                        std::move(made) || kith::field<&Thing::code> == code};
        }
    }

    std::vector<Asked> conditions(int count) {
        std::vector<Asked> made;
        for (int number = 0; number < count; ++number) made.push_back(condition(number % 4));
        return made;
    }

    std::uint64_t below(std::uint64_t end) { return random_.below(end); }

private:
    static kith::Timestamp time(std::int64_t microseconds) {
        return kith::Timestamp(std::chrono::microseconds(microseconds - 20));
    }

    kith::SplitMix64 random_;
    ConditionGrammar<kith::SplitMix64> grammar_{random_};
};

/// Writes things [first, first + count) to the collection and the model, those that are there already anew.
template <class S>
void write_things(kith::Collection<S>& collection, Model& model, ThingMaker& maker, int first, int count) {
    std::vector<Thing> batch;
    std::map<std::string, std::string> old;  // by the number in the key, which else is drawn
    for (const auto& [key, thing] : model) old[key.substr(key.rfind('-'))] = key;
    for (int number = first; number < first + count; ++number) {
        Thing made = maker.thing(number);
        const auto known = old.find(made.key.substr(made.key.rfind('-')));
        if (known != old.end()) made.key = known->second;
        model[made.key] = made;
        batch.push_back(std::move(made));
    }
    collection.upsert(batch);
}

/// Erases every `step`-th thing of the model.
template <class S>
void erase_things(kith::Collection<S>& collection, Model& model, std::size_t step) {
    std::vector<std::string> gone;
    std::size_t at = 0;
    for (const auto& [key, thing] : model) {
        if (at++ % step == 0) gone.push_back(key);
    }
    collection.erase(gone);
    for (const std::string& key : gone) model.erase(key);
}

inline std::vector<std::string> matching(const Model& model, const Condition& condition) {
    std::vector<std::string> keys;
    for (const auto& [key, thing] : model) {
        if (evaluate(condition, thing)) keys.push_back(key);
    }
    return keys;
}

inline std::vector<std::string> sorted(std::vector<std::string> keys) {
    std::sort(keys.begin(), keys.end());
    return keys;
}

template <class Hits>
std::vector<std::string> keys_of(const Hits& hits) {
    std::vector<std::string> keys;
    for (const auto& hit : hits) keys.push_back(hit.record.key);
    return keys;
}

inline constexpr std::array<std::array<float, 2>, 2> places{{{300, 900}, {1999, 0}}};

/// Compares what a collection or a snapshot finds with what is in the model.
template <class Reader>
class Comparison {
public:
    Comparison(const Reader& reader, const Model& model) : reader_(reader), model_(model) {
        REQUIRE(reader.size() == model.size());
        for (std::size_t at = 0; at < places.size(); ++at) {
            all_[at] = keys_of(reader.template nearest<&Thing::place>(places[at]).exact().limit(1'000'000).run());
            REQUIRE(all_[at].size() == model.size());
            for (std::size_t next = 1; next < all_[at].size(); ++next) {
                if (distance(at, all_[at][next - 1]) > distance(at, all_[at][next])) FAIL("not in order");
            }
        }
    }

    void compare(const std::vector<Asked>& conditions) {
        for (const Asked& asked : conditions) compare(asked);
    }

    void compare(const Asked& asked) {
        INFO("where " << asked.text);
        const std::vector<std::string> expected = matching(model_, asked.condition);
        CHECK(sorted(reader_.where(asked.condition).keys()) == expected);
        CHECK(reader_.count(asked.condition) == expected.size());
        for (std::size_t at = 0; at < places.size(); ++at) compare_nearest(asked.condition, expected, at);
        compare_many(asked.condition);
    }

private:
    static constexpr std::size_t limit = 7;

    float distance(std::size_t place, const std::string& key) const {
        const Thing& thing = model_.at(key);
        const float x = thing.place[0] - places[place][0];
        const float y = thing.place[1] - places[place][1];
        return x * x + y * y;
    }

    void compare_nearest(const Condition& condition, const std::vector<std::string>& expected, std::size_t place) {
        std::vector<std::string> first;
        for (const std::string& key : all_[place]) {
            if (first.size() < limit && std::binary_search(expected.begin(), expected.end(), key)) first.push_back(key);
        }
        const auto nearest = [&] {
            return reader_.template nearest<&Thing::place>(places[place]).where(condition).limit(limit);
        };
        CHECK(keys_of(nearest().exact().run()) == first);
        const auto hits = nearest().run();
        REQUIRE(hits.size() == first.size());
        for (std::size_t at = 0; at < hits.size(); ++at) {
            CHECK(std::binary_search(expected.begin(), expected.end(), hits[at].record.key));
            CHECK(hits[at].distance == distance(place, hits[at].record.key));
            if (at > 0) CHECK(hits[at - 1].distance <= hits[at].distance);
            for (std::size_t before = 0; before < at; ++before) CHECK(hits[before].record.key != hits[at].record.key);
        }
    }

    void compare_many(const Condition& condition) {
        for (const bool exact : {false, true}) {
            auto many = reader_.template nearest_many<&Thing::place>(places);
            many.where(condition).limit(limit).threads(2);
            if (exact) many.exact();
            const auto found = many.run();
            for (std::size_t at = 0; at < places.size(); ++at) {
                auto one = reader_.template nearest<&Thing::place>(places[at]);
                one.where(condition).limit(limit);
                if (exact) one.exact();
                CHECK(keys_of(found[at]) == keys_of(one.run()));
            }
        }
    }

    const Reader& reader_;
    const Model& model_;
    std::array<std::vector<std::string>, places.size()> all_;  // by distance, as the reader puts them
};

template <class Reader>
void compare(const Reader& reader, const Model& model, const std::vector<Asked>& conditions) {
    Comparison(reader, model).compare(conditions);
}

}  // namespace kith_test
