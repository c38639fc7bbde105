#include "proxy/exchange/router.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace berth::exchange {
namespace {

TEST(NormalisedPath, IsWhatALenientServerMayMakeOfIt) {
  const struct {
    const char* path;
    const char* normal;
  } kTable[] = {
      {"/", "/"},
      {"", "/"},
      {"/a", "/a"},
      {"/a/", "/a/"},
      {"/a/b/c", "/a/b/c"},
      {"/a?b=/../c", "/a"},
      {"/a/?b", "/a/"},
      {"?x", "/"},
      // Empty segments.
      {"//", "/"},
      {"//a", "/a"},
      {"/a//b", "/a/b"},
      {"/a///", "/a/"},
      // Dot segments.
      {"/.", "/"},
      {"/./", "/"},
      {"/a/.", "/a/"},
      {"/a/./b", "/a/b"},
      {"/..", "/"},
      {"/../../a", "/a"},
      {"/a/..", "/"},
      {"/a/../", "/"},
      {"/a/b/..", "/a/"},
      {"/a/b/../c", "/a/c"},
      {"/a/../../../b", "/b"},
      {"/a/..b/c", "/a/..b/c"},
      {"/a/.../b", "/a/.../b"},
      {"/.a", "/.a"},
      // Percent-encoding, once.
      {"/%61", "/a"},
      {"/%41%5a", "/AZ"},
      {"/%7E", "/~"},
      {"/a%20b", "/a b"},
      {"/%2e%2e/a", "/a"},
      {"/x/%2E%2e/a", "/a"},
      {"/x/.%2e/a", "/a"},
      {"/x/%2e/a", "/x/a"},
      {"/x%2fa", "/x/a"},
      {"/x%2F..%2Fa", "/a"},
      {"/x%2F", "/x/"},
      {"/%252e%252e/a", "/%2e%2e/a"},
      {"/%2525", "/%25"},
      // What is no encoding stays.
      {"/%", "/%"},
      {"/%2", "/%2"},
      {"/%zz", "/%zz"},
      {"/%2g", "/%2g"},
      {"/%g2", "/%g2"},
      {"/100%", "/100%"},
      // Backslashes.
      {"\\a\\b", "/a/b"},
      {"/a\\..\\b", "/b"},
      {"/a%5cb", "/a/b"},
      {"/a%5C..%5C..%5Cb", "/b"},
      {"/a\\", "/a/"},
  };
  for (const auto& row : kTable) EXPECT_EQ(normalised_path(row.path), row.normal) << row.path;
}

TEST(NormalisedPath, DoesNotChangeWhatItHasMade) {
  for (const char* path : {"/", "/a", "/a/", "//a/./b/..//c", "/%2e./x", "/a/b/c/../..", "\\x"}) {
    const std::string once = normalised_path(path);
    EXPECT_EQ(normalised_path(once), once) << path;
  }
}

TEST(NormalisedPath, ZeroBytesAreBytes) {
  EXPECT_EQ(normalised_path("/a%00b"), std::string("/a\0b", 4));
}

TEST(PathHasPrefix, GoesByWholeSegments) {
  const struct {
    const char* path;
    const char* prefix;
    bool covered;
  } kTable[] = {
      {"/", "/", true},
      {"/anything", "/", true},
      {"/?q", "/", true},
      {"/api", "/api", true},
      {"/api/", "/api", true},
      {"/api/x", "/api", true},
      {"/api?x", "/api", true},
      {"/apix", "/api", false},
      {"/api.json", "/api", false},
      {"/ap", "/api", false},
      {"/", "/api", false},
      {"/API", "/api", false},
      {"/x/api", "/api", false},
      {"/api/", "/api/", true},
      {"/api/x", "/api/", true},
      {"/api", "/api/", false},
      {"/api?x", "/api/", false},
      {"/api/v1", "/api/v1", true},
      {"/api/v10", "/api/v1", false},
      {"*", "/", false},
      {"", "/", false},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(path_has_prefix(row.path, row.prefix), row.covered) << row.path << " " << row.prefix;
  }
}

// A router over these routes; each has an upstream of its own, named by its place.
class RouterTest : public testing::Test {
 protected:
  struct Rule {
    const char* host;
    const char* path;
  };

  void routes(const std::vector<Rule>& rules) {
    config::Config config;
    for (const Rule& rule : rules) {
      config::Route& route = config.routes.emplace_back();
      route.host = rule.host;
      route.path = rule.path;
      route.upstream = "up" + std::to_string(config.routes.size() - 1);
    }
    snapshot_ = config::make_snapshot(std::move(config), 1, "", {});
    clusters_.clear();
    for (size_t i = 0; i < snapshot_->config.routes.size(); ++i) {
      clusters_[snapshot_->config.routes[i].upstream] = cluster(i);
    }
    router_ = LocalPtr(new Router(snapshot_, clusters_));
  }

  // "up0" and so on, or the label of the refusal.
  std::string find(std::string_view host, std::string_view path) const {
    const auto found = router_->find(host, path);
    if (!found) return std::string(info(found.error()).label);
    const size_t index = static_cast<size_t>(found->route - snapshot_->config.routes.data());
    EXPECT_EQ(found->cluster, cluster(index));
    return found->route->upstream;
  }

  // The router only carries the pointers: nothing stands there.
  static upstream::Cluster* cluster(size_t index) {
    alignas(upstream::Cluster) static std::array<std::byte, sizeof(upstream::Cluster) * 16> places;
    return reinterpret_cast<upstream::Cluster*>(places.data() + index * sizeof(upstream::Cluster));
  }

  config::SnapshotPtr snapshot_;
  std::unordered_map<std::string_view, upstream::Cluster*> clusters_;
  LocalPtr<Router> router_;
};

TEST_F(RouterTest, OneRouteForEverythingTakesEverything) {
  routes({{"*", "/"}});
  for (const char* path : {"/", "/a/../b", "//x", "/%2e%2e", "*", "\\"}) {
    EXPECT_EQ(find("example.test", path), "up0") << path;
    EXPECT_EQ(find("", path), "up0") << path;
  }
}

TEST_F(RouterTest, ExactHostsGoBeforeSuffixesBeforeAny) {
  routes({{"*", "/"}, {"*.example.test", "/"}, {"a.example.test", "/"}});
  EXPECT_EQ(find("a.example.test", "/"), "up2");
  EXPECT_EQ(find("b.example.test", "/"), "up1");
  EXPECT_EQ(find("x.a.example.test", "/"), "up1");
  EXPECT_EQ(find("example.test", "/"), "up0");
  EXPECT_EQ(find("notexample.test", "/"), "up0");
  EXPECT_EQ(find(".example.test", "/"), "up0");
  EXPECT_EQ(find("", "/"), "up0");
}

TEST_F(RouterTest, TheLongestSuffixWins) {
  routes({{"*.test", "/"}, {"*.b.example.test", "/"}, {"*.example.test", "/"}});
  EXPECT_EQ(find("a.b.example.test", "/"), "up1");
  EXPECT_EQ(find("b.example.test", "/"), "up2");
  EXPECT_EQ(find("example.test", "/"), "up0");
  EXPECT_EQ(find("test", "/"), "no_route");
}

TEST_F(RouterTest, HostsAreComparedWithoutCaseAndPort) {
  routes({{"App.Example.Test", "/"}, {"*.Other.Test", "/"}, {"[::1]", "/"}});
  for (const char* host : {"app.example.test", "APP.EXAMPLE.TEST", "app.example.test:8080"}) {
    EXPECT_EQ(find(host, "/"), "up0") << host;
  }
  for (const char* host : {"app.example.test.", "App.Example.Test.:80", "app.example.test:"}) {
    EXPECT_EQ(find(host, "/"), "up0") << host;
  }
  EXPECT_EQ(find("app.example.test..", "/"), "no_route");
  EXPECT_EQ(find(".", "/"), "no_route");
  EXPECT_EQ(find("x.other.test.", "/"), "up1");
  EXPECT_EQ(find("X.OTHER.test:1", "/"), "up1");
  EXPECT_EQ(find("[::1]", "/"), "up2");
  EXPECT_EQ(find("[::1]:443", "/"), "up2");
  EXPECT_EQ(find("[::2]:443", "/"), "no_route");
}

TEST_F(RouterTest, TheLongestPathWinsWhateverTheOrder) {
  routes({{"*", "/"}, {"*", "/api/v1"}, {"*", "/api"}});
  EXPECT_EQ(find("x", "/api/v1/users?q"), "up1");
  EXPECT_EQ(find("x", "/api/v1"), "up1");
  EXPECT_EQ(find("x", "/api/v10"), "up2");
  EXPECT_EQ(find("x", "/api"), "up2");
  EXPECT_EQ(find("x", "/apix"), "up0");
  EXPECT_EQ(find("x", "/"), "up0");
}

TEST_F(RouterTest, AHostWithoutAMatchingPathFallsThroughToTheNext) {
  routes({{"a.example.test", "/only"}, {"*.example.test", "/wide"}, {"*", "/any"}});
  EXPECT_EQ(find("a.example.test", "/only/x"), "up0");
  EXPECT_EQ(find("a.example.test", "/wide"), "up1");
  EXPECT_EQ(find("a.example.test", "/any"), "up2");
  EXPECT_EQ(find("a.example.test", "/none"), "no_route");
}

TEST_F(RouterTest, NoRouteIsSaidSo) {
  routes({{"a.test", "/"}});
  EXPECT_EQ(find("b.test", "/"), "no_route");
  EXPECT_EQ(find("b.test", "/../x"), "no_route");
  EXPECT_EQ(find("", "/"), "no_route");
}

TEST_F(RouterTest, OptionsForTheWholeServerGoByHostAlone) {
  routes({{"a.test", "/"}, {"b.test", "/api"}});
  EXPECT_EQ(find("a.test", "*"), "up0");
  EXPECT_EQ(find("b.test", "*"), "no_route");
}

// What matters: the way that a server may read the path must not lead past a route that guards it.
TEST_F(RouterTest, PathsThatCouldBeTakenForAnotherRouteAreRefused) {
  routes({{"*", "/"}, {"*", "/admin"}});
  for (const char* path :
       {"/%61dmin",    "/%61dmin/x",      "/x/../admin",     "/x/%2e%2e/admin", "/x/.%2E/admin",
        "//admin",     "/./admin",        "/%2e/admin",      "/x%2f..%2fadmin", "/%2fadmin",
        "\\admin",     "/\\admin",        "/%5cadmin",       "/x\\..\\admin",   "/admin/..",
        "/admin/../x", "/admin/%2e%2e/x", "/admin\\x",       "/admin%2fx",      "/admin%5cx",
        "/admin//..",  "/x/../admin?y",   "/%61%64%6d%69%6e"}) {
    EXPECT_EQ(find("x", path), "ambiguous_path") << path;
  }
}

TEST_F(RouterTest, OddPathsThatLeadToTheSameRouteEitherWayAreTaken) {
  routes({{"*", "/"}, {"*", "/admin"}});
  const struct {
    const char* path;
    const char* route;
  } kTable[] = {
      {"/x%2fy", "up0"},
      {"/a//b", "up0"},
      {"/a/./b", "up0"},
      {"/a/../b", "up0"},
      {"/a%20b", "up0"},
      {"/%7Euser", "up0"},
      {"/a\\b", "up0"},
      {"/.well-known/x", "up0"},
      {"/administrator/../x", "up0"},
      {"/admin/%41", "up1"},
      {"/admin//x", "up1"},
      {"/admin/./x", "up1"},
      {"/admin/x/../y", "up1"},
      {"/admin/%2e", "up1"},
      {"/admin/..x", "up1"},
      // Behind the question mark everything goes.
      {"/x?y=/../admin", "up0"},
      {"/admin?/../x", "up1"},
      {"/x?%61dmin//\\", "up0"},
  };
  for (const auto& row : kTable) EXPECT_EQ(find("x", row.path), row.route) << row.path;
}

TEST(EquivalentPath, MeansTheSame) {
  const struct {
    const char* path;
    const char* same;
  } kTable[] = {
      {"/a/b", "/a/b"},     {"//a///b//", "/a/b/"}, {"/%61%2D%2e%5F%7e", "/a-._~"},
      {"/a%2fb", "/a%2fb"}, {"/a%20b", "/a%20b"},   {"/a%", "/a%"},
      {"/%2", "/%2"},       {"/a?b//%61", "/a"},    {"/a/../b", "/a/../b"},
      {"/%zz", "/%zz"},     {"/a\\b", "/a\\b"},     {"/%2561", "/%2561"},
  };
  for (const auto& row : kTable) EXPECT_EQ(equivalent_path(row.path), row.same) << row.path;
}

// Where the path as it came has no route, nothing is passed by if what means the same has one.
TEST_F(RouterTest, PathsThatMeanTheSameFindTheOnlyRouteThereIs) {
  routes({{"*", "/api"}, {"*", "/web"}});
  for (const char* path : {"//api/users", "/%61pi/y", "/api//x", "//%61%70i?q", "///api"}) {
    EXPECT_EQ(find("x", path), "up0") << path;
  }
  for (const char* path : {"/x/../api", "//api/../web", "/api%2f..%2fweb", "/.//api", "\\api",
                           "/api%2fx", "//api/%2e%2e/web"}) {
    EXPECT_EQ(find("x", path), "ambiguous_path") << path;
  }
  EXPECT_EQ(find("x", "//other"), "no_route");
}

TEST_F(RouterTest, APathThatOnlyItsOddReadingMatchesIsRefused) {
  routes({{"*", "/api"}});
  EXPECT_EQ(find("x", "/x/../api"), "ambiguous_path");
  EXPECT_EQ(find("x", "/api/../x"), "ambiguous_path");
  EXPECT_EQ(find("x", "/x/../y"), "no_route");
}

TEST_F(RouterTest, TheSamePathOnAnotherHostIsAnotherRoute) {
  routes({{"a.test", "/x"}, {"b.test", "/x"}});
  EXPECT_EQ(find("a.test", "/x"), "up0");
  EXPECT_EQ(find("b.test", "/x"), "up1");
}

TEST_F(RouterTest, KeepsItsSnapshotAlive) {
  routes({{"a.test", "/"}});
  const std::weak_ptr<const config::Snapshot> watched = snapshot_;
  snapshot_.reset();
  ASSERT_FALSE(watched.expired());
  EXPECT_EQ(&router_->config(), &watched.lock()->config);
  router_ = {};
  EXPECT_TRUE(watched.expired());
}

TEST_F(RouterTest, ReadsTheTrustedProxiesOfItsSnapshot) {
  config::Config config;
  config.forwarding.trusted_proxies = {"10.0.0.0/8"};
  const LocalPtr<Router> router(
      new Router(config::make_snapshot(std::move(config), 1, "", {}), {}));
  EXPECT_TRUE(router->trusted().contains(*net::Address::parse("10.1.2.3:4")));
  EXPECT_FALSE(router->trusted().contains(*net::Address::parse("11.1.2.3:4")));
}

}  // namespace
}  // namespace berth::exchange
