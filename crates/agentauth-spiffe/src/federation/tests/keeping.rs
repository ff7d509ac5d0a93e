//! What a restart begins with.

use std::fs;
use std::path::PathBuf;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("agentauth-federation-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_begins_with_what_was_confirmed_and_with_its_age() {
    let (folder, web, clock) = (Folder::new("restart"), Web::new(), Hands::new());
    let published = bundle(1, r#","spiffe_sequence":7"#);
    web.put("a.example", &*published);
    let follow = || web.follow_by(&["a.example"], &clock, 24 * HOUR, Some(&folder.0));
    let first = follow();
    first.loaded().await.unwrap();
    pass(HOUR).await;
    let confirmed = first.status()[0].confirmed_at;
    drop(first);
    // The document as it was published, and nothing else.
    assert_eq!(folder.files(), ["a.example.json"]);
    assert_eq!(fs::read_to_string(folder.0.join("a.example.json")).unwrap(), published);

    web.take_down("a.example");
    let second = follow();
    second.loaded().await.unwrap_err();
    assert_eq!((believed(&second), second.status()[0].confirmed_at), (of("a.example", 1), confirmed));
    web.put("a.example", bundle(2, r#","spiffe_sequence":6"#));
    second.refresh().await;
    assert_eq!(code(&second.status()[0]), Some("federation_sequence_older"));
    drop(second);

    // A restart makes nothing younger.
    pass(24 * HOUR).await;
    web.take_down("a.example");
    let third = follow();
    third.loaded().await.unwrap_err();
    assert_eq!((believed(&third).len(), third.status()[0].confirmed_at), (0, confirmed));
    web.put("a.example", &*published);
    third.refresh().await;
    assert_eq!(believed(&third), of("a.example", 1));
}

#[tokio::test(start_paused = true)]
async fn a_file_from_the_future_is_of_now() {
    let (folder, web, clock) = (Folder::new("future"), Web::new(), Hands::new());
    web.put("a.example", bundle(1, ""));
    web.follow_by(&["a.example"], &clock, HOUR, Some(&folder.0)).loaded().await.unwrap();
    pass(Duration::ZERO).await;
    clock.put(-24 * 3600);
    web.take_down("a.example");
    let bundles = web.follow_by(&["a.example"], &clock, HOUR, Some(&folder.0));
    bundles.loaded().await.unwrap_err();
    assert_eq!(believed(&bundles).len(), 1);
    pass(HOUR).await;
    assert_eq!(believed(&bundles).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_no_good_is_said_and_nothing_depends_on_it() {
    let (folder, web, clock) = (Folder::new("broken"), Web::new(), Hands::new());
    let published = bundle(1, "");
    for (name, prepare, expected) in [
        ("garbage", &(|path: &Path| fs::write(path, "garbage").unwrap()) as &dyn Fn(&Path), "json_malformed"),
        ("long", &|path| fs::write(path, " ".repeat(256 * 1024 + 1)).unwrap(), "bundle_oversize"),
        ("directory", &|path| fs::create_dir(path).unwrap(), "federation_store_failed"),
    ] {
        let path = folder.0.join("a.example.json");
        prepare(&path);
        web.take_down("a.example");
        let bundles = web.follow_by(&["a.example"], &clock, HOUR, Some(&folder.0));
        bundles.loaded().await.unwrap_err();
        let store_error =
            |bundles: &FederatedBundles| bundles.status()[0].store_error.as_ref().map(|error| error.code());
        assert_eq!((store_error(&bundles), believed(&bundles).len()), (Some(expected), 0), "{name}");
        web.put("a.example", &*published);
        bundles.refresh().await;
        assert_eq!(believed(&bundles), of("a.example", 1), "{name}");
        if path.is_dir() {
            // It cannot be written either; when it can, it is.
            assert_eq!(store_error(&bundles), Some("federation_store_failed"));
            fs::remove_dir(&path).unwrap();
            bundles.refresh().await;
        }
        assert_eq!(store_error(&bundles), None, "{name}");
        assert_eq!(fs::read_to_string(&path).unwrap(), published);
        fs::remove_file(path).unwrap();
    }
}

/// The name of the draft can be guessed; what stands there, left by a crash or put there by somebody, is not written
/// to.
#[tokio::test(start_paused = true)]
async fn a_draft_is_always_a_new_file() {
    let (folder, web, clock) = (Folder::new("draft"), Web::new(), Hands::new());
    let (draft, other) = (format!("a.example.json.{}", std::process::id()), folder.0.join("other"));
    fs::write(&other, "other").unwrap();
    std::os::unix::fs::symlink(&other, folder.0.join(draft)).unwrap();
    let published = bundle(1, "");
    web.put("a.example", &*published);
    web.follow_by(&["a.example"], &clock, HOUR, Some(&folder.0)).loaded().await.unwrap();
    assert_eq!(fs::read_to_string(&other).unwrap(), "other");
    let kept = folder.0.join("a.example.json");
    assert!(fs::symlink_metadata(&kept).unwrap().is_file());
    assert_eq!(fs::read_to_string(kept).unwrap(), published);
}
