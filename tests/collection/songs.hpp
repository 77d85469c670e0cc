// tests/collection/songs.hpp — records with every kind of value to group by, and the naive answer beside the collection's.
#pragma once

#include "kith/collection.hpp"
#include "kith/core/random.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kith_test {

using kith::Collection;
using kith::field;

enum class Color : std::int32_t { red, green, blue };

struct Song {
    std::int64_t id = 0;
    std::string artist;                // indexed; most songs are of one
    std::string genre;                 // not indexed
    std::optional<std::string> label;  // indexed; some have none
    std::optional<double> rating;      // not indexed; some have none, some are NaN, some are -0
    std::optional<float> loudness;     // indexed; the same
    std::int32_t year = 0;
    std::uint64_t plays = 0;
    Color color = Color::red;
    bool live = false;
    kith::Timestamp released{};
    std::vector<std::string> tags;
    std::array<float, 6> mood{};
};

template <class Index>
using Songs = kith::Schema<Song, kith::Key<&Song::id>, kith::Field<&Song::artist, kith::indexed>,
                           kith::Field<&Song::label, kith::indexed>, kith::Field<&Song::loudness, kith::indexed>,
                           kith::VectorField<&Song::mood, kith::L2, Index>>;

template <class T>
std::optional<T> some_number(std::int64_t number) {
    switch (number % 7) {
        case 0:
            return std::nullopt;
        case 1:
            return std::numeric_limits<T>::quiet_NaN();
        case 2:
            return static_cast<T>(number % 2 == 0 ? -0.0 : 0.0);
        case 3:
            return std::numeric_limits<T>::infinity();
        default:
            return static_cast<T>(static_cast<double>(number % 5) - 2.5);
    }
}

/// The same song for the same number.
inline Song song(std::int64_t number) {
    kith::SplitMix64 random(static_cast<std::uint64_t>(number) + 77);
    Song made;
    made.id = number;
    made.artist = number % 50 == 0 ? "artist " + std::to_string(number / 50 % 9) : "everybody";
    made.genre = "genre " + std::to_string(random.below(40));
    if (number % 4 != 0) made.label = "label " + std::to_string(number % 13);
    made.rating = some_number<double>(static_cast<std::int64_t>(random.below(1000)));
    made.loudness = some_number<float>(static_cast<std::int64_t>(random.below(1000)));
    made.year = static_cast<std::int32_t>(random.below(30)) - 15;
    made.plays = random.below(5) * (std::uint64_t{1} << 62);
    made.color = static_cast<Color>(random.below(3));
    made.live = random.below(10) == 0;
    made.released = kith::Timestamp(std::chrono::hours(24 * static_cast<std::int64_t>(random.below(20)) - 240));
    made.tags = {"a"};
    for (float& element : made.mood) element = static_cast<float>(random.uniform());
    return made;
}

template <class T>
bool same(const T& a, const T& b) {
    if constexpr (std::is_floating_point_v<T>) return a == b || (std::isnan(a) && std::isnan(b));
    return a == b;
}
template <class T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
    return a.has_value() == b.has_value() && (!a.has_value() || same(*a, *b));
}

using Keys = std::vector<std::int64_t>;

template <class T>
struct Expected {
    T value;
    Keys keys;
};

/// Songs in several segments, sealed and not, some erased; `model` is what is left.
template <class Index>
struct Shelf {
    TemporaryDirectory directory;
    Collection<Songs<Index>> collection{directory / "songs.kith", [] {
                                            kith::Options options;
                                            options.segment_capacity = 1500;
                                            options.maintenance = kith::Maintenance::on_call;
                                            return options;
                                        }()};
    std::map<std::int64_t, Song> model;

    Shelf() {
        put(0, 2500);
        collection.checkpoint();
        put(2500, 700);
        for (std::int64_t number = 3; number < 3200; number += 11) {
            collection.erase(number);
            model.erase(number);
        }
    }

    void put(std::int64_t first, std::int64_t count) {
        std::vector<Song> songs;
        for (std::int64_t number = first; number < first + count; ++number) songs.push_back(song(number));
        collection.upsert(songs);
        for (const Song& one : songs) model[one.id] = one;
    }

    template <auto Member, class Holds>
    [[nodiscard]] auto naive(const Song& query, std::size_t groups, std::size_t per_group, const Holds& holds,
                             float radius = 1e9F) const {
        using T = std::remove_cvref_t<decltype(query.*Member)>;
        std::vector<std::pair<float, const Song*>> order;
        for (const auto& [id, one] : model) {
            const float distance = kith::L2::distance(query.mood.data(), one.mood.data(), 6);
            if (distance <= radius && holds(one)) order.emplace_back(distance, &one);
        }
        std::sort(order.begin(), order.end(), [](auto& a, auto& b) {
            return a.first != b.first ? a.first < b.first : a.second->id < b.second->id;
        });
        std::vector<Expected<T>> all;
        for (const auto& [distance, one] : order) {
            const T& value = one->*Member;
            auto group =
                std::find_if(all.begin(), all.end(), [&](const auto& other) { return same(other.value, value); });
            if (group == all.end()) {
                if (all.size() == groups) continue;
                all.push_back({value, {}});
                group = all.end() - 1;
            }
            if (group->keys.size() < per_group) group->keys.push_back(one->id);
        }
        return all;
    }
};

template <class T>
void check_equal(const std::vector<kith::Group<T, Song>>& found, const std::vector<Expected<T>>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t at = 0; at < found.size(); ++at) {
        CAPTURE(at);
        CHECK(same(found[at].value, expected[at].value));
        Keys keys;
        for (const auto& hit : found[at].hits) keys.push_back(hit.record.id);
        CHECK(keys == expected[at].keys);
    }
}

constexpr auto everything = [](const Song&) { return true; };

/// Exactly the naive answer when asked for exact(), and as many groups and hits of each without; of those records that
/// satisfy a condition.
template <auto Member, class Index>
void check_field(const Shelf<Index>& shelf, std::size_t groups, std::size_t per_group,
                 const std::optional<kith::Condition<Song>>& condition = std::nullopt) {
    const auto holds = [&](const Song& one) { return !condition.has_value() || kith::evaluate(*condition, one); };
    std::size_t expected_hits = 0;
    std::size_t right_hits = 0;
    for (std::int64_t number = 5000; number < 5004; ++number) {
        const Song query = song(number);
        CAPTURE(number, groups, per_group);
        const auto expected = shelf.template naive<Member>(query, groups, per_group, holds);
        const auto ask = [&] {
            auto asked = shelf.collection.template nearest<&Song::mood>(query.mood);
            if (condition.has_value()) asked.where(*condition);
            return asked;
        };
        check_equal(ask().exact().template group_by<Member>(groups, per_group).run(), expected);
        const auto found = ask().template group_by<Member>(groups, per_group).run();
        REQUIRE(found.size() == expected.size());
        for (const auto& group : found) {
            const auto truth = shelf.template naive<Member>(
                query, 1, per_group, [&](const Song& one) { return holds(one) && same(one.*Member, group.value); });
            REQUIRE(truth.size() == 1);
            CHECK(group.hits.size() == truth.front().keys.size());
            for (const auto& hit : group.hits) {
                CHECK(same(hit.record.*Member, group.value));
                right_hits += static_cast<std::size_t>(
                    std::count(truth.front().keys.begin(), truth.front().keys.end(), hit.record.id));
            }
            expected_hits += truth.front().keys.size();
            CHECK(std::is_sorted(group.hits.begin(), group.hits.end(),
                                 [](const auto& a, const auto& b) { return a.distance < b.distance; }));
        }
        CHECK(std::is_sorted(found.begin(), found.end(), [](const auto& a, const auto& b) {
            return a.hits.front().distance < b.hits.front().distance;
        }));
    }
    CHECK(static_cast<double>(right_hits) >= 0.9 * static_cast<double>(expected_hits));
}

}  // namespace kith_test
