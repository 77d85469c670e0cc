// tests/collection/conditions_test.cpp — whatever the condition and wherever the records are, a collection finds what a
// look at every record finds.
#include "things.hpp"

#include "kith/collection/backup.hpp"

#include "settings.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_directory.hpp"

#include <atomic>
#include <initializer_list>
#include <string>
#include <thread>
#include <vector>

using kith::Collection;
using kith_test::Asked;
using kith_test::compare;
using kith_test::erase_things;
using kith_test::FileFaults;
using kith_test::matching;
using kith_test::Model;
using kith_test::on_call;
using kith_test::TemporaryDirectory;
using kith_test::Thing;
using kith_test::ThingMaker;
using kith_test::Things;
using kith_test::to_read;
using kith_test::write_things;

namespace {

constexpr int asked_conditions = 100;

kith::Options in_segments_of(kith::Slot records) {
    kith::Options options = on_call();
    options.segment_capacity = records;
    return options;
}

}  // namespace

TEST_CASE("A condition finds the same in every state of a collection") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "things";
    ThingMaker maker(1);
    const std::vector<Asked> conditions = maker.conditions(asked_conditions);
    Model model;
    {
        Collection<Things> collection(path, in_segments_of(400));
        compare(collection, model, conditions);
        write_things(collection, model, maker, 0, 300);
        compare(collection, model, conditions);  // in the segment that is written

        write_things(collection, model, maker, 250, 700);
        erase_things(collection, model, 9);
        compare(collection, model, conditions);  // some have ended
        const auto snapshot = collection.snapshot();
        const Model then = model;

        collection.checkpoint();
        compare(collection, model, conditions);
        const Collection<Things> follower(path, to_read());
        compare(follower, model, conditions);

        write_things(collection, model, maker, 100, 150);
        write_things(collection, model, maker, 2000, 60);
        erase_things(collection, model, 11);
        compare(collection, model, conditions);  // sealed ones with deletes beside one that is written
        compare(snapshot, then, conditions);
        compare(follower, then, conditions);

        collection.compact();
        compare(collection, model, conditions);
        compare(snapshot, then, conditions);
        write_things(collection, model, maker, 120, 30);
    }
    {
        Collection<Things> collection(path, in_segments_of(400));
        compare(collection, model, conditions);  // out of the log
        collection.backup(directory / "backup");
        compare(Collection<Things>(directory / "backup", on_call()), model, conditions);
        write_things(collection, model, maker, 500, 20);
    }
    kith::Options cached = on_call();
    cached.cache_bytes = std::uint64_t{1} << 20;
    compare(Collection<Things>(path, cached), model, conditions);
    compare(Collection<Things>(path, to_read()), model, conditions);
}

TEST_CASE("In memory a condition finds the same, also once segments were merged") {
    ThingMaker maker(2);
    const std::vector<Asked> conditions = maker.conditions(asked_conditions);
    Collection<Things> collection(kith::in_memory, in_segments_of(300));
    Model model;
    write_things(collection, model, maker, 0, 800);
    erase_things(collection, model, 2);
    write_things(collection, model, maker, 300, 200);
    compare(collection, model, conditions);
    collection.compact();
    compare(collection, model, conditions);
    collection.erase_all();
    compare(collection, Model(), conditions);
}

TEST_CASE("What few of some thousand records satisfy is found whole, with an index and without") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    ThingMaker maker(3);
    Collection<Things> collection(directory / "things", in_segments_of(2500));
    Model model;
    write_things(collection, model, maker, 0, 4000);
    const auto mark = [&](std::initializer_list<int> numbers) {
        for (const int number : numbers) {
            Thing made = maker.thing(10'000 + number);
            made.note = "rare";
            made.code = 7777;
            made.more = kith::Json{R"({"is": {"rare": true}})"};
            model[made.key] = made;
            collection.upsert(made);
        }
    };
    mark({1, 2});
    const std::vector<Asked> conditions{
        {"note", kith::field<&Thing::note> == "rare"},
        {"end of note", has_suffix(kith::field<&Thing::note>, "are")},
        {"code, which has no index", kith::field<&Thing::code> == 7777u},
        {"calculated", kith::parse_condition<Thing>("code * 2 + 1 = 15555")},
        {"inside of JSON", kith::parse_condition<Thing>("more.\"is\".rare")},
        {"both", kith::parse_condition<Thing>("code = 7777 and note like '%a%'")},
        {"either", kith::parse_condition<Thing>("code = 7777 or note = 'rare' or more.\"is\".rare")},
    };
    for (const Asked& asked : conditions) REQUIRE(matching(model, asked.condition).size() == 2);
    compare(collection, model, conditions);
    collection.checkpoint();
    mark({3});
    for (const Asked& asked : conditions) REQUIRE(matching(model, asked.condition).size() == 3);
    compare(collection, model, conditions);
    collection.compact();
    compare(collection, model, conditions);
}

TEST_CASE("What a batch changes together, every condition sees together", "[threads]") {
    constexpr int groups = 8;
    constexpr int members = 40;
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    kith::Options options = on_call();
    options.segment_capacity = 500;
    Collection<Things> collection(directory / "things", options);
    ThingMaker maker(4);
    const auto group = [&](int number, int round) {
        std::vector<Thing> things;
        for (int member = 0; member < members; ++member) {
            Thing made;
            made.key = std::to_string(number) + "-" + std::to_string(member);
            made.small = number;
            made.code = static_cast<std::uint32_t>(number);
            made.open = round % 2 == 0;
            made.maybe = !made.open;
            made.note = "round " + std::to_string(round % 4);
            made.tags = {made.open ? "open" : "closed"};
            made.place = {static_cast<float>(member), static_cast<float>(maker.below(100))};
            things.push_back(std::move(made));
        }
        return things;
    };
    for (int number = 0; number < groups; ++number) collection.insert(group(number, 0));

    std::atomic<bool> done = false;
    std::atomic<int> wrong = 0;
    std::atomic<int> asked = 0;
    const auto read = [&](int reader) {
        const auto whole = [&](std::size_t count) {
            if (count != 0 && count != members) ++wrong;
        };
        for (int turn = 0; !done; ++turn) {
            const int number = turn % groups;
            const auto is_group = kith::field<&Thing::small> == number;
            switch ((turn + reader) % 5) {
                case 0:
                    whole(collection.count(is_group && kith::field<&Thing::open> == true));
                    break;
                case 1:
                    whole(collection.count(is_group && kith::field<&Thing::open> == kith::field<&Thing::maybe>));
                    whole(collection.where("code = ? and tags contains 'open'", number).keys().size());
                    break;
                case 2: {
                    const auto hits = collection.nearest<&Thing::place>(kith_test::places[0])
                                          .where(is_group && has_prefix(kith::field<&Thing::note>, "round"))
                                          .limit(2 * members)
                                          .run();
                    if (hits.size() != members) ++wrong;
                    for (const auto& hit : hits) wrong += hit.record.note != hits[0].record.note ? 1 : 0;
                    break;
                }
                case 3: {
                    const auto snapshot = collection.snapshot();
                    const std::size_t open = snapshot.count(is_group && kith::field<&Thing::open> == true);
                    const std::size_t closed = snapshot.count(is_group && kith::field<&Thing::maybe> == true);
                    if (open + closed != members) ++wrong;
                    whole(open);
                    break;
                }
                default: {
                    const auto facets = collection.where(is_group).distinct<&Thing::note>();
                    if (facets.size() != 1) ++wrong;
                    break;
                }
            }
            ++asked;
        }
    };
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 2; ++reader) readers.emplace_back(read, reader);
    for (int round = 1; round <= 60; ++round) {
        for (int number = 0; number < groups; ++number) collection.upsert(group(number, round));
        if (round % 6 == 0) {  // a group that is not there for a while is another number
            std::vector<std::string> gone;
            for (const Thing& thing : group(groups, round)) gone.push_back(thing.key);
            collection.erase(gone);
        } else if (round % 6 == 3) {
            collection.insert(group(groups, round));
        }
        if (round % 10 == 5) collection.checkpoint();
        if (round % 20 == 10) collection.compact();
    }
    while (asked < 200) std::this_thread::yield();
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(wrong == 0);
}
